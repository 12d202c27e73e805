#include "api/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/strv.h"

enum {
    CONNECTION_MEMORY = 256 * 1024, /* head of a request, and what is read at once */
    STREAM_BLOCK = 128 * 1024,
    CLIENT_SECONDS = 60, /* a client that is slower than this with its next byte */
    UPLOAD_MS = 5,
    DISCARD_MAX = 4 * HTTP_TEXT_MAX /* of a body that is too large already */
};

/* Work whose client has left. */
struct orphans {
    pid_t *pids;
    size_t count, room;
};

struct http {
    struct http_options options;
    struct MHD_Daemon *daemon;
    struct watch watch; /* the library's epoll descriptor */
    struct orphans orphans;
    struct exchange *exchanges;
};

/* A request and its answer. */
struct exchange {
    struct http *http;
    struct exchange *next, **before; /* in http.exchanges */
    struct MHD_Connection *connection;
    struct request request;
    enum http_body body_kind;
    uint64_t discarded;
    bool body_over;
    bool suspended;
    bool client_gone;
    struct http_work work;
    struct watch client_watch, control_watch, data_watch, body_watch;
    bool ending;     /* its output is over, it may still have something to do */
    bool ended;      /* it has closed the control socket too */
    bool head_there; /* `head` is what will be answered, `body` goes with it */
    struct reply_head head;
    struct buf body;
    struct MHD_UpgradeResponseHandle *upgraded;
    bool raw; /* the connection was handed over without the library's help */
};

/* ---- waiting ---- */

static void resume(struct exchange *x)
{
    if (!x->suspended)
        return;
    x->suspended = false;
    loop_forget(x->http->options.loop, &x->client_watch);
    MHD_resume_connection(x->connection);
}

static void suspend(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    MHD_suspend_connection(x->connection);
    x->suspended = true;
    loop_watch(x->http->options.loop, &x->client_watch, info->connect_fd, 0);
}

static void cancel(struct exchange *x)
{
    if (x->work.pid && x->work.cancel)
        kill(x->work.pid, SIGTERM);
}

static void on_client_gone(void *context, uint32_t events)
{
    struct exchange *x = context;
    x->client_gone = true;
    cancel(x);
    resume(x);
}

/* ---- the end of the work ---- */

static void orphan(struct http *h, pid_t pid)
{
    array_reserve(h->orphans.pids, h->orphans.count, h->orphans.room);
    h->orphans.pids[h->orphans.count++] = pid;
}

void http_reap(struct http *h)
{
    struct orphans *o = &h->orphans;
    for (size_t i = o->count; i-- > 0;)
        if (waitpid(o->pids[i], NULL, WNOHANG) != 0)
            o->pids[i] = o->pids[--o->count];
}

/* It has closed its pipes, so it is ending. Returns what waitpid(2) says. */
static int collect(struct exchange *x)
{
    int status = 0;
    while (x->work.pid && waitpid(x->work.pid, &status, 0) < 0 && errno == EINTR)
        ;
    x->work.pid = 0;
    return status;
}

static void close_fd(struct exchange *x, struct watch *w, int *fd)
{
    loop_forget(x->http->options.loop, w);
    cleanup_close(fd);
    *fd = -1;
}

static void exchange_free(struct exchange *x)
{
    *x->before = x->next;
    if (x->next)
        x->next->before = x->before;
    loop_forget(x->http->options.loop, &x->client_watch);
    /* An upload that breaks off is an error also where what came can be read. */
    if (x->work.body_fd >= 0 && x->work.pid)
        kill(x->work.pid, SIGTERM);
    close_fd(x, &x->control_watch, &x->work.control_fd);
    close_fd(x, &x->data_watch, &x->work.data_fd);
    close_fd(x, &x->body_watch, &x->work.body_fd);
    if (x->work.pid && waitpid(x->work.pid, NULL, WNOHANG) == 0)
        orphan(x->http, x->work.pid);
    request_clear(&x->request);
    buf_free(&x->body);
    free(x);
}

/* ---- the answer ---- */

static void answer_error(struct exchange *x, int status, const char *message)
{
    struct reply reply = {.control_fd = -1, .body_fd = -1, .head = &x->head, .body = &x->body};
    buf_clear(&x->body);
    reply_error_status(&reply, status, message);
    x->head_there = true;
}

static ssize_t read_answer(void *context, uint64_t position, char *data, size_t size)
{
    struct exchange *x = context;
    if (x->client_gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    ssize_t n = read(x->work.data_fd, data, size);
    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        suspend(x);
        loop_watch(x->http->options.loop, &x->data_watch, x->work.data_fd, EPOLLIN);
        return 0;
    }
    /* How it went is known when it has ended. */
    if (!x->ended) {
        x->ending = true;
        suspend(x);
        loop_watch(x->http->options.loop, &x->control_watch, x->work.control_fd, EPOLLIN);
        return 0;
    }
    return collect(x) == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static bool wants_upgrade(const struct exchange *x)
{
    return request_header(&x->request, "Upgrade") != NULL;
}

/* Hands the client's socket to the process at work. */
static void pass_socket(struct exchange *x, int fd, const char *early, size_t size)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char mark = 0;
    struct iovec parts[] = {{&mark, 1}, {(void *)early, size}};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = size ? 2 : 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    if (sendmsg(x->work.control_fd, &message, MSG_NOSIGNAL) < 0)
        cancel(x); /* it ends by itself: the other side closes */
    loop_watch(x->http->options.loop, &x->control_watch, x->work.control_fd, EPOLLIN);
}

static void on_upgrade(void *context, struct MHD_Connection *connection, void *con_cls,
                       const char *early, size_t size, MHD_socket fd,
                       struct MHD_UpgradeResponseHandle *handle)
{
    struct exchange *x = context;
    x->upgraded = handle;
    pass_socket(x, fd, early, size);
}

static void add_headers(struct exchange *x, struct MHD_Response *response)
{
    const char *const *all = x->http->options.headers;
    for (; all && all[0]; all += 2)
        MHD_add_response_header(response, all[0], all[1]);
    if (x->head.type[0])
        MHD_add_response_header(response, "Content-Type", x->head.type);
    _cleanup_strv_ char **lines = strv_split(x->head.headers, '\n');
    STRV_FOREACH(line, lines)
    {
        char *colon = strstr(*line, ": ");
        if (!colon)
            continue;
        *colon = '\0';
        MHD_add_response_header(response, *line, colon + 2);
    }
}

/* Clients that ask for no upgrade (Podman's for `exec`) get a plain head, and the bytes after it
 * are theirs. The library can answer only 101 like that. */
static enum MHD_Result take_over_raw(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info->connect_fd;
    _cleanup_free_ char *head =
        xasprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n", x->head.type);
    x->raw = true;
    if (send(fd, head, strlen(head), MSG_NOSIGNAL) != (ssize_t)strlen(head))
        return MHD_NO;
    suspend(x);
    loop_forget(x->http->options.loop, &x->client_watch); /* no longer ours to judge */
    pass_socket(x, fd, NULL, 0);
    return MHD_YES;
}

static struct MHD_Response *make_response(struct exchange *x)
{
    uint64_t size = x->head.size < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)x->head.size;
    switch (x->head.kind) {
    case REPLY_HIJACK:
        return MHD_create_response_for_upgrade(on_upgrade, x);
    case REPLY_STREAM:
    case REPLY_DEFERRED:
        return MHD_create_response_from_callback(size, STREAM_BLOCK, read_answer, x, NULL);
    case REPLY_WHOLE:
        break;
    }
    return MHD_create_response_from_buffer(x->body.size, x->body.data ? x->body.data : (char *)"",
                                           MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result answer(struct exchange *x)
{
    bool hijack = x->head.kind == REPLY_HIJACK;
    if (hijack && !wants_upgrade(x))
        return take_over_raw(x);
    struct MHD_Response *response = make_response(x);
    if (!response)
        return MHD_NO;
    add_headers(x, response);
    if (hijack)
        MHD_add_response_header(response, "Upgrade", request_header(&x->request, "Upgrade"));
    enum MHD_Result r = MHD_queue_response(
        x->connection, hijack ? MHD_HTTP_SWITCHING_PROTOCOLS : (unsigned)x->head.status, response);
    MHD_destroy_response(response);
    return r;
}

/* ---- heads from the process at work ---- */

/* It ended without a word. */
static void on_death(struct exchange *x)
{
    int status = collect(x);
    char text[128];
    if (WIFSIGNALED(status))
        snprintf(text, sizeof(text), "the process at work for this request was killed by signal %d",
                 WTERMSIG(status));
    else
        snprintf(text, sizeof(text), "the process at work for this request ended without answer");
    answer_error(x, 500, text);
}

/* Returns whether a packet was there. */
static bool read_head(struct exchange *x)
{
    char packet[sizeof(struct reply_head) + 65536];
    ssize_t n = recv(x->work.control_fd, packet, sizeof(packet), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n < (ssize_t)sizeof(x->head)) {
        if (x->head_there)
            loop_forget(x->http->options.loop, &x->control_watch);
        else if (x->head.kind == REPLY_DEFERRED && x->head.status)
            x->head_there = true; /* the end of what has no bytes */
        else
            on_death(x);
        return false;
    }
    memcpy(&x->head, packet, sizeof(x->head));
    buf_clear(&x->body);
    buf_add(&x->body, packet + sizeof(x->head), (size_t)n - sizeof(x->head));
    x->head_there = x->head.kind != REPLY_DEFERRED;
    if (!x->head_there)
        loop_watch(x->http->options.loop, &x->data_watch, x->work.data_fd, EPOLLIN);
    return true;
}

/* Of a connection that was handed over; it is closed. */
static void hand_back(struct exchange *x)
{
    struct MHD_UpgradeResponseHandle *handle = x->upgraded;
    x->upgraded = NULL;
    if (handle)
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
    else
        resume(x);
}

/* The connection was handed over and the process that had it has ended. */
static void end_hijack(struct exchange *x)
{
    loop_forget(x->http->options.loop, &x->control_watch);
    x->client_gone = true;
    collect(x);
    hand_back(x);
}

/* Heads that come now are too late. */
static void on_ending(struct exchange *x)
{
    char ignored[64];
    ssize_t n;
    while ((n = recv(x->work.control_fd, ignored, sizeof(ignored), MSG_DONTWAIT)) > 0)
        ;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    x->ended = true;
    loop_forget(x->http->options.loop, &x->control_watch);
    resume(x);
}

static void on_control(void *context, uint32_t events)
{
    struct exchange *x = context;
    if (x->ending) {
        on_ending(x);
        return;
    }
    if (x->upgraded || x->raw) {
        end_hijack(x);
        return;
    }
    while (read_head(x))
        ;
    if (!x->head_there)
        return;
    loop_forget(x->http->options.loop, &x->control_watch);
    loop_forget(x->http->options.loop, &x->data_watch);
    resume(x);
}

/* There is something to read, or room for a write. */
static void on_data(void *context, uint32_t events)
{
    struct exchange *x = context;
    if (!x->head_there) { /* the first byte after a deferred head, or its refusal */
        on_control(x, 0);
        x->head_there = true;
        loop_forget(x->http->options.loop, &x->control_watch);
    }
    loop_forget(x->http->options.loop, &x->data_watch);
    resume(x);
}

static void on_body_room(void *context, uint32_t events)
{
    struct exchange *x = context;
    loop_forget(x->http->options.loop, &x->body_watch);
    resume(x);
}

/* ---- requests ---- */

static void start_work(struct exchange *x)
{
    const struct http_handler *h = x->http->options.handler;
    struct reply reply = {.control_fd = -1, .body_fd = -1, .head = &x->head, .body = &x->body};
    h->work(h->context, &x->request, &reply, &x->work);
    x->head_there = x->work.pid == 0;
}

static enum MHD_Result add_header_line(void *context, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    struct exchange *x = context;
    strv_addf(&x->request.headers, "%s: %s", name, value ? value : "");
    return MHD_YES;
}

static enum MHD_Result begin(struct exchange *x, struct MHD_Connection *connection,
                             const char *method)
{
    const struct http_handler *h = x->http->options.handler;
    x->connection = connection;
    x->request.method = xstrdup(method);
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header_line, x);
    x->body_kind = h->head(h->context, &x->request);
    const char *length = request_header(&x->request, "Content-Length");
    /* A client that is still sending may not see the answer: what is not absurd is heard out. */
    if (x->body_kind == HTTP_BODY_TEXT && length && strtoull(length, NULL, 10) > DISCARD_MAX)
        answer_error(x, 413, "the body of the request is too large");
    else if (x->body_kind == HTTP_BODY_STREAM)
        start_work(x);
    return x->head_there ? answer(x) : MHD_YES;
}

/* Returns how much of it was taken. */
static size_t pass_body(struct exchange *x, const char *data, size_t size)
{
    if (x->work.body_fd < 0)
        return size; /* nobody wants the rest */
    ssize_t n = write(x->work.body_fd, data, size);
    if (n >= 0)
        return (size_t)n;
    if (errno == EAGAIN || errno == EINTR) {
        suspend(x);
        loop_watch(x->http->options.loop, &x->body_watch, x->work.body_fd, EPOLLOUT);
        return 0;
    }
    close_fd(x, &x->body_watch, &x->work.body_fd);
    return size;
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *size)
{
    if (x->body_kind == HTTP_BODY_STREAM) {
        *size -= pass_body(x, data, *size);
        return x->client_gone ? MHD_NO : MHD_YES;
    }
    bool keep = x->body_kind == HTTP_BODY_TEXT && x->request.body.size + *size <= HTTP_TEXT_MAX &&
                !x->discarded;
    if (keep)
        buf_add(&x->request.body, data, *size);
    else
        x->discarded += *size;
    *size = 0;
    return x->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static void end_body(struct exchange *x)
{
    x->body_over = true;
    if (x->body_kind == HTTP_BODY_STREAM)
        close_fd(x, &x->body_watch, &x->work.body_fd);
    else if (x->body_kind == HTTP_BODY_TEXT && x->discarded)
        answer_error(x, 413, "the body of the request is too large");
    else
        start_work(x);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    struct exchange *x = *con_cls;
    if (!x->connection)
        return begin(x, connection, method);
    if (x->client_gone)
        return MHD_NO;
    if (*size)
        return take_body(x, data, size);
    if (!x->body_over)
        end_body(x);
    if (x->head_there)
        return answer(x);
    suspend(x);
    loop_watch(x->http->options.loop, &x->control_watch, x->work.control_fd, EPOLLIN);
    return MHD_YES;
}

/* The first thing known of a request: what it is about, as it was sent. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct exchange *x = xcalloc(1, sizeof(*x));
    struct http *h = x->http = context;
    x->next = h->exchanges;
    x->before = &h->exchanges;
    if (x->next)
        x->next->before = &x->next;
    h->exchanges = x;
    x->request.target = xstrdup(target);
    x->work = (struct http_work)HTTP_WORK_INIT;
    x->client_watch = WATCH_INIT(on_client_gone, x);
    x->control_watch = WATCH_INIT(on_control, x);
    x->data_watch = WATCH_INIT(on_data, x);
    x->body_watch = WATCH_INIT(on_body_room, x);
    return x;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *x = *con_cls;
    if (x && x->work.pid && code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        cancel(x);
    if (x)
        exchange_free(x);
    *con_cls = NULL;
}

/* ---- the server ---- */

/* http_run does the work. */
static void on_library(void *context, uint32_t events)
{
}

/* Targets are decoded where routes are looked up. */
static size_t leave_as_is(void *context, struct MHD_Connection *connection, char *text)
{
    return strlen(text);
}

int http_open(const struct http_options *o, struct http **ret, struct error *err)
{
    struct http *h = xcalloc(1, sizeof(*h));
    h->options = *o;
    h->watch = WATCH_INIT(on_library, h);
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, NULL, NULL, on_request, h,
        MHD_OPTION_LISTEN_SOCKET, o->listen_fd, MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_UNESCAPE_CALLBACK, leave_as_is,
        NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CLIENT_SECONDS, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    if (!info || loop_watch(o->loop, &h->watch, info->epoll_fd, EPOLLIN) < 0) {
        int code = errno ? errno : EIO;
        if (h->daemon)
            MHD_stop_daemon(h->daemon);
        free(h);
        return error_errno(err, code, "cannot start the HTTP server");
    }
    *ret = h;
    return 0;
}

/* The library ends nothing that is suspended. */
static void abandon(struct exchange *x)
{
    x->client_gone = true;
    cancel(x);
    hand_back(x);
}

void http_close(struct http *h)
{
    struct exchange *next;
    for (struct exchange *x = h->exchanges; x; x = next) {
        next = x->next;
        abandon(x);
    }
    MHD_run(h->daemon);
    loop_forget(h->options.loop, &h->watch);
    MHD_stop_daemon(h->daemon);
    free(h->orphans.pids);
    free(h);
}

static bool has_upload(const struct http *h)
{
    for (const struct exchange *x = h->exchanges; x; x = x->next)
        if (x->body_kind == HTTP_BODY_STREAM && !x->body_over)
            return true;
    return false;
}

/* What the library has read of a body and we have not taken yet, neither the socket nor its timeout
 * tells of: uploads are looked after now and then. */
int http_run(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG wait = 0;
    MHD_run(h->daemon);
    bool timed = MHD_get_timeout(h->daemon, &wait) == MHD_YES;
    if (has_upload(h) && (!timed || wait > UPLOAD_MS))
        return UPLOAD_MS;
    if (!timed)
        return -1;
    return wait > 3600000 ? 3600000 : (int)wait;
}

unsigned http_busy(struct http *h)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info->num_connections + (unsigned)h->orphans.count;
}
