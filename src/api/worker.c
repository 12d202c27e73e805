#include "api/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/route.h"
#include "base/cleanup.h"

enum { PIPE_SIZE = 512 * 1024 };

/* Both ends of what connects us with the child. */
struct pipes {
    int control[2];
    int data[2];
    int body[2];
};

static void pipes_close(struct pipes *p)
{
    for (int i = 0; i < 2; i++) {
        cleanup_close(&p->control[i]);
        cleanup_close(&p->data[i]);
        cleanup_close(&p->body[i]);
    }
}

static int pipes_open(struct pipes *p, bool body, struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p->control) < 0 ||
        pipe2(p->data, O_CLOEXEC) < 0 || (body && pipe2(p->body, O_CLOEXEC) < 0))
        return error_errno(err, errno, "cannot start the work for a request");
    fcntl(p->data[0], F_SETFL, O_NONBLOCK);
    /* Fewer turns of the loop for much data; where it is not allowed it only takes longer. */
    fcntl(p->data[0], F_SETPIPE_SZ, PIPE_SIZE);
    if (body)
        fcntl(p->body[1], F_SETPIPE_SZ, PIPE_SIZE);
    if (body)
        fcntl(p->body[1], F_SETFL, O_NONBLOCK);
    return 0;
}

static int parse_body(struct request *r, struct error *err)
{
    if (!(r->route->flags & ROUTE_BODY) || r->body.size == 0) {
        r->json = js_object();
        return 0;
    }
    struct error why = {0};
    if (js_parse(r->body.data, r->body.size, "the body of the request", &r->json, &why) < 0)
        return error_kind_set(err, ERROR_USAGE, "%s", why.text);
    if (!js_is_object(r->json) && !js_is_null(r->json))
        return error_kind_set(err, ERROR_USAGE, "the body of the request is no JSON object");
    return 0;
}

void worker_run(struct request *r, struct reply *reply)
{
    struct error err = {0};
    int e = route_options(r, &err);
    if (e >= 0)
        e = parse_body(r, &err);
    if (e >= 0)
        e = r->route->run(r, reply, &err);
    if (e < 0 && !reply->begun)
        reply_error(reply, &err);
    else if (e < 0 && reply->control_fd >= 0)
        _exit(1); /* half an answer: the service breaks the connection off */
    route_options_free(r);
}

/* ---- in the child ---- */

enum { CONTROL_FD = 3 };

/* The descriptors of the service's other connections are none of ours. */
static void take_descriptors(const struct pipes *p, bool body)
{
    int control = fcntl(p->control[1], F_DUPFD_CLOEXEC, 10);
    int data = fcntl(p->data[1], F_DUPFD_CLOEXEC, 10);
    int input = body ? fcntl(p->body[0], F_DUPFD_CLOEXEC, 10) : open("/dev/null", O_RDONLY);
    dup2(input, 0);
    dup2(data, 1);
    dup3(control, CONTROL_FD, O_CLOEXEC);
    close_range(CONTROL_FD + 1, ~0u, 0);
}

static void reset_signals(void)
{
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        signal(i, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void work(const struct firn_options *options, struct request *r,
                           const struct pipes *p, bool body)
{
    take_descriptors(p, body);
    reset_signals();
    struct reply reply = {.control_fd = CONTROL_FD, .body_fd = 1};
    struct error err = {0};
    if (firn_open(options, &r->firn, &err) < 0)
        reply_error(&reply, &err);
    else
        worker_run(r, &reply);
    if (r->firn)
        firn_close(r->firn);
    _exit(0);
}

int worker_start(const struct firn_options *options, struct request *r, struct http_work *ret,
                 struct error *err)
{
    struct pipes p = {{-1, -1}, {-1, -1}, {-1, -1}};
    bool body = r->route->flags & ROUTE_UPLOAD;
    int e = pipes_open(&p, body, err);
    pid_t pid = e < 0 ? -1 : fork();
    if (pid == 0)
        work(options, r, &p, body);
    if (e == 0 && pid < 0)
        e = error_errno(err, errno, "cannot start the work for a request");
    if (e == 0)
        *ret = (struct http_work){
            .pid = pid,
            .control_fd = take_fd(p.control[0]),
            .data_fd = take_fd(p.data[0]),
            .body_fd = take_fd(p.body[1]),
            .cancel = r->route->flags & ROUTE_CANCEL,
        };
    pipes_close(&p);
    return e;
}
