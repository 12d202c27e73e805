#include "execution/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"

void http_request_clear(struct http_request *r)
{
    js_unref(r->body);
    *r = (struct http_request){0};
}

/* ---- requests ---- */

static int bad(struct error *err, const char *why)
{
    return error_kind_set(err, ERROR_USAGE, "bad request: %s", why);
}

/* The value of Content-Length among the header lines before `end`; 0 without one. */
static int body_size(const char *headers, const char *end, size_t *ret, struct error *err)
{
    static const char name[] = "content-length:";
    *ret = 0;
    for (const char *line = headers; line < end;) {
        const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);
        next = next ? next + 2 : end;
        if ((size_t)(next - line) > strlen("transfer-encoding:") &&
            strncasecmp(line, "transfer-encoding:", strlen("transfer-encoding:")) == 0)
            return bad(err, "Transfer-Encoding is not supported, give a Content-Length");
        if ((size_t)(next - line) >= sizeof(name) && strncasecmp(line, name, strlen(name)) == 0) {
            char *stop;
            unsigned long n = strtoul(line + strlen(name), &stop, 10);
            if (stop == line + strlen(name) || n > HTTP_BODY_MAX)
                return bad(err, "the Content-Length is no number, or more than 1 MiB");
            *ret = n;
        }
        line = next;
    }
    return 0;
}

static int parse_line(const char *line, struct http_request *r, struct error *err)
{
    int end = 0;
    if (sscanf(line, "%15[A-Z] %127[^ \r\n] HTTP/1.%*1[01]%n", r->method, r->path, &end) != 2 ||
        end == 0)
        return bad(err, "the first line is not like \"POST /checkpoint HTTP/1.1\"");
    return 0;
}

int http_parse(const struct buf *in, struct http_request *ret, struct error *err)
{
    _cleanup_http_request_ struct http_request r = {0};
    const char *end = in->size ? memmem(in->data, in->size, "\r\n\r\n", 4) : NULL;
    if (!end)
        return in->size > HTTP_HEADERS_MAX ? bad(err, "the headers are too long") : 0;
    size_t size = 0;
    struct error why = {0};
    int n = parse_line(in->data, &r, err);
    if (n == 0)
        n = body_size(in->data, end + 2, &size, err);
    if (n < 0)
        return n;
    const char *body = end + 4;
    if ((size_t)(in->data + in->size - body) < size)
        return 0;
    if (!size)
        r.body = js_object();
    else
        n = js_parse(body, size, "the request's body", &r.body, &why);
    if (n < 0)
        return error_kind_set(err, ERROR_USAGE, "%s", why.text);
    if (n == 0 && !js_is_object(r.body))
        n = bad(err, "its body is not a JSON object");
    if (n < 0)
        return n;
    *ret = r;
    r.body = NULL;
    return 1;
}

/* ---- answers ---- */

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 409:
        return "Conflict";
    default:
        return "Internal Server Error";
    }
}

char *http_answer(int status, const struct json *body)
{
    _cleanup_free_ char *text = js_dump(body, 0);
    return xasprintf("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
                     status, reason(status), strlen(text) + 1, text);
}

/* ---- sockets ---- */

/* Names of sockets are short: a directory of any length is named by its descriptor. */
static int address(const char *directory, const char *name, struct sockaddr_un *ret, int *ret_dir)
{
    *ret_dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir < 0)
        return -errno;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", *ret_dir, name);
    return 0;
}

int http_listen(const char *directory, const char *name, mode_t mode)
{
    struct sockaddr_un a;
    _cleanup_close_ int dir = -1;
    int r = address(directory, name, &a, &dir);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    unlinkat(dir, name, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        fchmodat(dir, name, mode, 0) < 0 || listen(fd, 64) < 0)
        return -errno;
    return take_fd(fd);
}

int http_connect(const char *directory, const char *name)
{
    struct sockaddr_un a;
    _cleanup_close_ int dir = -1;
    int r = address(directory, name, &a, &dir);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return -errno;
    return take_fd(fd);
}

/* ---- asking ---- */

static int read_answer(int fd, struct json **ret, struct error *err)
{
    _cleanup_buf_ struct buf in = {0};
    for (ssize_t n = 1; n;) {
        n = read(fd, buf_reserve(&in, 4096), 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read the supervisor's answer");
        in.size += (size_t)n;
        in.data[in.size] = '\0';
    }
    int status = 0;
    const char *body = in.size ? strstr(in.data, "\r\n\r\n") : NULL;
    if (!body || sscanf(in.data, "HTTP/1.1 %d", &status) != 1)
        return error_set(err, ECONNRESET, "the supervisor ended before it answered");
    int r = js_parse(body + 4, strlen(body + 4), "the supervisor's answer", ret, err);
    return r < 0 ? r : status;
}

int http_ask(const char *directory, const char *name, const char *method, const char *path,
             const struct json *body, struct json **ret, struct error *err)
{
    _cleanup_close_ int fd = http_connect(directory, name);
    if (fd < 0)
        return error_errno(err, -fd, "cannot reach the supervisor");
    _cleanup_free_ char *text = body ? js_dump(body, 0) : xstrdup("");
    _cleanup_free_ char *request =
        xasprintf("%s %s HTTP/1.1\r\nHost: firn\r\nContent-Length: %zu\r\n\r\n%s", method, path,
                  strlen(text), text);
    size_t size = strlen(request);
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, request + done, size - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return error_errno(err, errno, "cannot ask the supervisor");
        done += n > 0 ? (size_t)n : 0;
    }
    return read_answer(fd, ret, err);
}
