#include "api/service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/http.h"
#include "api/listen.h"
#include "api/routes.h"
#include "api/system.h"
#include "api/worker.h"
#include "base/cleanup.h"
#include "base/clock.h"

struct service {
    const struct firn_options *firn;
    const struct service_options *options;
    struct loop *loop;
    struct http *http;
    struct watch signal_watch;
    int signal_fd;
    bool ended;
};

/* ---- requests ---- */

static enum http_body on_head(void *context, struct request *r)
{
    if (route_find(route_tables, r) != 200)
        return HTTP_BODY_NONE;
    if (r->route->flags & ROUTE_UPLOAD)
        return HTTP_BODY_STREAM;
    return r->route->flags & ROUTE_BODY ? HTTP_BODY_TEXT : HTTP_BODY_NONE;
}

static void refuse(struct request *r, struct reply *reply)
{
    int status = route_find(route_tables, r);
    if (status == 400)
        reply_error_status(reply, 400, "the path of the request cannot be read");
    else
        reply_text(reply, status, "text/plain; charset=utf-8",
                   status == 405 ? "Method Not Allowed\n" : "Not Found\n", NULL);
}

static void on_work(void *context, struct request *r, struct reply *reply, struct http_work *work)
{
    struct service *s = context;
    struct error err = {0};
    if (!r->route)
        refuse(r, reply);
    else if (r->route->flags & ROUTE_INLINE)
        worker_run(r, reply);
    else if (worker_start(s->firn, r, work, &err) < 0)
        reply_error(reply, &err);
}

/* ---- the loop ---- */

static void on_signal(void *context, uint32_t events)
{
    struct service *s = context;
    struct signalfd_siginfo info;
    while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            http_reap(s->http);
        else
            s->ended = true;
    }
}

static int watch_signals(struct service *s, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->signal_watch = WATCH_INIT(on_signal, s);
    if (s->signal_fd < 0 || loop_watch(s->loop, &s->signal_watch, s->signal_fd, EPOLLIN) < 0)
        return error_errno(err, errno, "cannot watch for signals");
    return 0;
}

static int sooner(int a, int64_t b)
{
    if (b < 0)
        return a;
    return a < 0 || b < a ? (int)(b > 3600000 ? 3600000 : b) : a;
}

static int serve(struct service *s, struct error *err)
{
    int64_t limit = s->options->timeout_seconds * 1000, busy_at = monotonic_us() / 1000;
    while (!s->ended) {
        int wait = http_run(s->http);
        int64_t now = monotonic_us() / 1000;
        if (http_busy(s->http))
            busy_at = now;
        else if (limit && now - busy_at >= limit)
            break;
        wait = sooner(wait, limit && busy_at != now ? busy_at + limit - now : limit ? limit : -1);
        int r = loop_turn(s->loop, wait, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int run(struct service *s, const struct listener *l, struct error *err)
{
    const struct http_handler handler = {.context = s, .head = on_head, .work = on_work};
    int r = loop_open(&s->loop, err);
    if (r < 0)
        return r;
    const struct http_options o = {
        .listen_fd = l->fd,
        .loop = s->loop,
        .handler = &handler,
        .headers = system_headers,
    };
    r = watch_signals(s, err);
    if (r == 0)
        r = http_open(&o, &s->http, err);
    if (r == 0) {
        r = serve(s, err);
        http_close(s->http);
    }
    cleanup_close(&s->signal_fd);
    loop_close(s->loop);
    return r;
}

int service_run(const struct firn_options *firn, const struct service_options *options,
                struct error *err)
{
    struct service s = {.firn = firn, .options = options, .signal_fd = -1};
    struct listener l;
    int r = listener_open(options->uri, &l, err);
    if (r < 0)
        return r;
    if (l.network)
        fprintf(stderr, "Warning: everybody who can reach %s is root here: nothing protects it\n",
                options->uri);
    r = run(&s, &l, err);
    l.fd = -1; /* closed by the server */
    listener_close(&l);
    return r;
}
