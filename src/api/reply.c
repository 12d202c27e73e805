#include "api/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/io.h"

/* Bodies that fit a packet go with the head; the others through the pipe. */
enum { PACKET_BODY_MAX = 65536 };

/* ---- heads ---- */

static int send_head(struct reply *r, struct reply_head *head, const void *body, size_t size,
                     struct error *err)
{
    snprintf(head->headers, sizeof(head->headers), "%s", r->headers);
    r->begun = head->kind != REPLY_DEFERRED;
    if (r->control_fd < 0) {
        *r->head = *head;
        buf_add(r->body, body, size);
        return 0;
    }
    struct iovec parts[] = {{head, sizeof(*head)}, {(void *)body, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = size ? 2 : 1};
    while (sendmsg(r->control_fd, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "cannot answer");
    return 0;
}

static struct reply_head make_head(int status, enum reply_kind kind, const char *type)
{
    struct reply_head head = {.status = status, .kind = kind, .size = -1};
    snprintf(head.type, sizeof(head.type), "%s", type ? type : "");
    return head;
}

void reply_header(struct reply *r, const char *name, const char *value)
{
    size_t used = strlen(r->headers);
    int n = snprintf(r->headers + used, sizeof(r->headers) - used, "%s: %s\n", name, value);
    if (n < 0 || (size_t)n >= sizeof(r->headers) - used)
        r->headers[used] = '\0';
}

static int reply_whole(struct reply *r, int status, const char *type, const void *data, size_t size,
                       struct error *err)
{
    struct reply_head head = make_head(status, REPLY_WHOLE, type);
    if (r->control_fd < 0 || size <= PACKET_BODY_MAX)
        return send_head(r, &head, data, size, err);
    head.kind = REPLY_STREAM;
    head.size = (int64_t)size;
    int e = send_head(r, &head, NULL, 0, err);
    return e < 0 ? e : reply_write(r, data, size, err);
}

int reply_empty(struct reply *r, int status, struct error *err)
{
    return reply_whole(r, status, NULL, NULL, 0, err);
}

int reply_text(struct reply *r, int status, const char *type, const char *text, struct error *err)
{
    return reply_whole(r, status, type, text, strlen(text), err);
}

int reply_json(struct reply *r, int status, const struct json *value, struct error *err)
{
    _cleanup_free_ char *text = js_dump(value, 0);
    _cleanup_buf_ struct buf b = {0};
    buf_printf(&b, "%s\n", text);
    return reply_whole(r, status, "application/json", b.data, b.size, err);
}

/* ---- errors ---- */

int reply_error_code(const struct error *why)
{
    static const int codes[] = {
        [ERROR_GENERIC] = 500,       [ERROR_USAGE] = 400,
        [ERROR_NOT_FOUND] = 404,     [ERROR_CONFLICT] = 409,
        [ERROR_STATE] = 409,         [ERROR_IN_USE] = 409,
        [ERROR_CANNOT_INVOKE] = 409, [ERROR_COMMAND_NOT_FOUND] = 409,
        [ERROR_CANCELLED] = 500,
    };
    return (size_t)why->kind < ARRAY_LEN(codes) ? codes[why->kind] : 500;
}

/* Clients compare the cause with texts they know: the innermost of the error. */
static const char *cause_of(const char *message)
{
    const char *last = message;
    for (const char *p = message; (p = strstr(p, ": "));)
        last = p += 2;
    return last;
}

int reply_error_status(struct reply *r, int status, const char *message)
{
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "cause", js_string(cause_of(message)));
    js_set(o, "message", js_string(message));
    js_set(o, "response", js_int(status));
    return reply_json(r, status, o, NULL);
}

int reply_error(struct reply *r, const struct error *why)
{
    return reply_error_status(r, reply_error_code(why), why->text);
}

/* ---- streams ---- */

int reply_stream(struct reply *r, int status, const char *type, struct error *err)
{
    struct reply_head head = make_head(status, REPLY_STREAM, type);
    return send_head(r, &head, NULL, 0, err);
}

int reply_stream_deferred(struct reply *r, int status, const char *type, struct error *err)
{
    struct reply_head head = make_head(status, REPLY_DEFERRED, type);
    return send_head(r, &head, NULL, 0, err);
}

int reply_write(struct reply *r, const void *data, size_t size, struct error *err)
{
    int e = write_full(r->body_fd, data, size);
    return e < 0 ? error_errno(err, -e, "cannot answer") : 0;
}

int reply_line(struct reply *r, const struct json *value, struct error *err)
{
    _cleanup_free_ char *text = js_dump(value, 0);
    _cleanup_buf_ struct buf b = {0};
    buf_printf(&b, "%s\n", text);
    return reply_write(r, b.data, b.size, err);
}

/* ---- the connection itself ---- */

static int receive_socket(int control_fd, struct buf *early, struct error *err)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    const size_t most = 65536;
    struct iovec part = {buf_reserve(early, most), most};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t n;
    do
        n = recvmsg(control_fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    const struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!c || c->cmsg_type != SCM_RIGHTS)
        return error_kind_set(err, ERROR_CANCELLED, "the client has gone away");
    int fd;
    memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    /* The first byte only carries the descriptor. */
    size_t size = (size_t)n - 1;
    memmove(part.iov_base, (char *)part.iov_base + 1, size);
    early->size += size;
    return fd;
}

int reply_hijack(struct reply *r, const char *type, struct buf *early, struct error *err)
{
    struct reply_head head = make_head(200, REPLY_HIJACK, type);
    int e = send_head(r, &head, NULL, 0, err);
    return e < 0 ? e : receive_socket(r->control_fd, early, err);
}
