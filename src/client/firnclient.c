#include "client/firnclient.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Whoever answers may be away for a while: a new supervisor comes with the next command, or with
 * the machine's restart. Tries, not time, are counted: time jumps at a restore. */
enum { TRIES = 36000, PAUSE_MS = 100, ANSWER_MAX = 1 << 16, TOKEN_SIZE = 33 };

struct firn_client {
    struct sockaddr_un address;
    char holder[TOKEN_SIZE]; /* of locks */
    char error[512];
};

static void make_token(char token[TOKEN_SIZE])
{
    unsigned char random[16] = {0};
    for (size_t done = 0; done < sizeof(random);) {
        ssize_t n = getrandom(random + done, sizeof(random) - done, 0);
        done += n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
}

struct firn_client *firn_client_new(void)
{
    static const char scheme[] = "unix://";
    const char *api = getenv("FIRN_API");
    struct firn_client *c = NULL;
    if (!api || strncmp(api, scheme, sizeof(scheme) - 1) != 0)
        errno = ENOENT;
    else if (strlen(api + sizeof(scheme) - 1) >= sizeof(c->address.sun_path))
        errno = ENAMETOOLONG;
    else
        c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->address.sun_family = AF_UNIX;
    strcpy(c->address.sun_path, api + sizeof(scheme) - 1);
    make_token(c->holder);
    return c;
}

void firn_client_free(struct firn_client *c)
{
    free(c);
}

const char *firn_client_error(const struct firn_client *c)
{
    return c->error;
}

static int failed(struct firn_client *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->error, sizeof(c->error), format, ap);
    va_end(ap);
    return -1;
}

/* ---- one exchange ---- */

static int send_all(int fd, const char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(fd, data + done, size - done, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return -1;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* The whole answer as a string, or nothing: hung up. */
static int receive(int fd, char *answer, size_t size)
{
    size_t used = 0;
    while (used < size - 1) {
        ssize_t n = recv(fd, answer + used, size - 1 - used, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    answer[used] = '\0';
    const char *end = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
    if (!end || !length || length > end)
        return -1;
    return strlen(end + 4) >= strtoul(length + 16, NULL, 10) ? 0 : -1;
}

static int exchange(const struct firn_client *c, const char *request, char *answer)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int r = connect(fd, (const struct sockaddr *)&c->address, sizeof(c->address));
    if (r == 0)
        r = send_all(fd, request, strlen(request));
    if (r == 0)
        r = receive(fd, answer, ANSWER_MAX);
    close(fd);
    return r;
}

/* The text of {"error": "..."}, as far as it has no quotes itself. */
static int refused(struct firn_client *c, const char *answer)
{
    static const char key[] = "\"error\":";
    const char *text = strstr(answer, key);
    text = text ? strchr(text + sizeof(key) - 1, '"') : NULL;
    if (!text)
        return failed(c, "firn refused: %.300s", answer);
    size_t n = 1;
    while (text[n] && (text[n] != '"' || text[n - 1] == '\\'))
        n++;
    return failed(c, "%.*s", (int)(n - 1), text + 1);
}

/* Asks until somebody has answered. `answer` has room for ANSWER_MAX. */
static int ask(struct firn_client *c, const char *path, const char *body, char *answer)
{
    char *request = NULL;
    if (asprintf(&request,
                 "POST %s HTTP/1.1\r\nHost: firn\r\nContent-Type: application/json\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 path, strlen(body), body) < 0)
        return failed(c, "out of memory");
    int r = -1;
    for (int i = 0; i < TRIES && r < 0; i++) {
        if (i)
            nanosleep(&(struct timespec){.tv_nsec = (i < 10 ? 10 : PAUSE_MS) * 1000000L}, NULL);
        r = exchange(c, request, answer);
    }
    free(request);
    if (r < 0)
        return failed(c, "nobody answers at %s", c->address.sun_path);
    return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? 0 : refused(c, answer);
}

static int call(struct firn_client *c, const char *path, const char *body)
{
    char answer[ANSWER_MAX];
    return ask(c, path, body, answer);
}

/* ---- calls ---- */

static enum firn_side ask_side(struct firn_client *c, const char *path, const char *body)
{
    char answer[ANSWER_MAX];
    if (ask(c, path, body, answer) < 0)
        return FIRN_FAILED;
    return strstr(answer, "\"after\"") ? FIRN_AFTER : FIRN_BEFORE;
}

enum firn_side firn_checkpoint(struct firn_client *c)
{
    char token[TOKEN_SIZE], body[128];
    make_token(token);
    snprintf(body, sizeof(body), "{\"token\":\"%s\"}", token);
    return ask_side(c, "/checkpoint", body);
}

enum firn_side firn_suspend(struct firn_client *c, double seconds)
{
    char token[TOKEN_SIZE], body[128];
    make_token(token);
    snprintf(body, sizeof(body), "{\"token\":\"%s\",\"for\":%.6f}", token, seconds);
    return ask_side(c, "/suspend", body);
}

enum firn_side firn_suspend_until_resumed(struct firn_client *c)
{
    char token[TOKEN_SIZE], body[128];
    make_token(token);
    snprintf(body, sizeof(body), "{\"token\":\"%s\",\"until_signal\":true}", token);
    return ask_side(c, "/suspend", body);
}

static int with_holder(struct firn_client *c, const char *path)
{
    char body[128];
    snprintf(body, sizeof(body), "{\"holder\":\"%s\"}", c->holder);
    return call(c, path, body);
}

int firn_lock(struct firn_client *c)
{
    return with_holder(c, "/lock");
}

int firn_unlock(struct firn_client *c)
{
    return with_holder(c, "/unlock");
}

int firn_exit(struct firn_client *c, int code, const char *output)
{
    char *body = NULL;
    if (asprintf(&body, "{\"code\":%d,\"output\":%s}", code, output ? output : "null") < 0)
        return failed(c, "out of memory");
    int r = call(c, "/exit", body);
    free(body);
    return r;
}
