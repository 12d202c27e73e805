#include "execution/server.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "execution/place.h"

/* A request that does not come to its end makes room for others. */
#define PATIENCE INT64_C(30000000000)

static void hang_up(struct connection *c)
{
    close(c->fd);
    buf_free(&c->in);
    *c = (struct connection){.fd = -1};
}

int server_open(struct server *s, const struct execution *e, struct error *err)
{
    _cleanup_free_ char *run = place_run(e, ""), *api = place_run(e, "api");
    *s = (struct server){.worker_fd = -1, .admin_fd = -1};
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++)
        s->connections[i].fd = -1;
    s->worker_fd = http_listen(api, PLACE_SOCKET, 0666);
    s->admin_fd = http_listen(run, "admin.sock", 0600);
    if (s->worker_fd < 0 || s->admin_fd < 0) {
        int code = s->worker_fd < 0 ? -s->worker_fd : -s->admin_fd;
        server_close(s);
        return error_errno(err, code, "cannot listen for the worker of execution %s", e->id);
    }
    return 0;
}

void server_close(struct server *s)
{
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++)
        if (s->connections[i].fd >= 0)
            hang_up(&s->connections[i]);
    if (s->worker_fd >= 0)
        close(s->worker_fd);
    if (s->admin_fd >= 0)
        close(s->admin_fd);
    s->worker_fd = s->admin_fd = -1;
}

/* ---- waiting ---- */

static struct connection *free_slot(struct server *s)
{
    struct connection *oldest = NULL;
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        struct connection *c = &s->connections[i];
        if (c->fd < 0)
            return c;
        if (!c->taken && (!oldest || c->since < oldest->since))
            oldest = c;
    }
    if (oldest)
        hang_up(oldest);
    return oldest;
}

static void accept_all(struct server *s, int listener, bool admin)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct connection *c = free_slot(s);
        if (c)
            *c = (struct connection){
                .fd = fd, .admin = admin, .since = monotonic_ns(), .serial = ++s->serial};
        else
            close(fd);
    }
}

/* Its end means that nobody waits for an answer any more. */
static void read_some(struct connection *c)
{
    char chunk[4096];
    ssize_t n;
    while ((n = read(c->fd, chunk, sizeof(chunk))) > 0) {
        buf_add(&c->in, chunk, (size_t)n);
        if (c->in.size > HTTP_HEADERS_MAX + HTTP_BODY_MAX)
            break;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
        c->in.size > HTTP_HEADERS_MAX + HTTP_BODY_MAX)
        hang_up(c);
}

static void drop_slow(struct server *s)
{
    int64_t now = monotonic_ns();
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        struct connection *c = &s->connections[i];
        if (c->fd >= 0 && !c->taken && now - c->since > PATIENCE)
            hang_up(c);
    }
}

bool server_poll(struct server *s, int extra_fd, int timeout_ms)
{
    struct pollfd fds[SERVER_CONNECTIONS + 3];
    fds[0] = (struct pollfd){.fd = s->worker_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = s->admin_fd, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = extra_fd, .events = POLLIN};
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++)
        fds[3 + i] = (struct pollfd){
            .fd = s->connections[i].fd,
            .events = s->connections[i].taken ? 0 : POLLIN,
        };
    if (poll(fds, SERVER_CONNECTIONS + 3, timeout_ms) <= 0) {
        drop_slow(s);
        return false;
    }
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        if (fds[3 + i].revents && s->connections[i].taken)
            hang_up(&s->connections[i]);
        else if (fds[3 + i].revents)
            read_some(&s->connections[i]);
    }
    accept_all(s, s->worker_fd, false);
    accept_all(s, s->admin_fd, true);
    return fds[2].revents != 0;
}

/* ---- requests ---- */

struct connection *server_next(struct server *s, struct http_request *ret)
{
    for (size_t i = 0; i < SERVER_CONNECTIONS; i++) {
        struct connection *c = &s->connections[i];
        struct error err = {0};
        if (c->fd < 0 || c->taken)
            continue;
        int r = http_parse(&c->in, ret, &err);
        if (r < 0)
            server_refuse(c, &err);
        c->taken = r > 0;
        if (r > 0)
            return c;
    }
    return NULL;
}

/* Answers are small: what does not fit into the socket's buffer is for nobody. */
void server_answer(struct connection *c, int status, struct json *body)
{
    if (c->fd >= 0) {
        _cleanup_free_ char *text = http_answer(status, body);
        (void)!send(c->fd, text, strlen(text), MSG_NOSIGNAL);
        hang_up(c);
    }
    js_unref(body);
}

void server_refuse(struct connection *c, const struct error *err)
{
    static const int statuses[] = {
        [ERROR_USAGE] = 400, [ERROR_NOT_FOUND] = 404, [ERROR_CONFLICT] = 409, [ERROR_STATE] = 409};
    struct json *body = js_object();
    size_t kind = err->kind;
    int status = kind < ARRAY_LEN(statuses) ? statuses[kind] : 0;
    js_set(body, "error", js_string(err->text));
    server_answer(c, status ? status : 500, body);
}
