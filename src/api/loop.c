#include "api/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

struct loop {
    int epoll_fd;
    /* What epoll_wait said; a watch that is forgotten meanwhile is struck out. */
    struct epoll_event events[64];
    int count;
};

int loop_open(struct loop **ret, struct error *err)
{
    struct loop *l = xcalloc(1, sizeof(*l));
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll_fd < 0) {
        free(l);
        return error_errno(err, errno, "cannot create an epoll descriptor");
    }
    *ret = l;
    return 0;
}

void loop_close(struct loop *l)
{
    close(l->epoll_fd);
    free(l);
}

int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    int how = w->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (w->fd >= 0 && w->fd != fd)
        loop_forget(l, w);
    w->fd = fd;
    return epoll_ctl(l->epoll_fd, how, fd, &e) < 0 ? -errno : 0;
}

void loop_forget(struct loop *l, struct watch *w)
{
    if (w->fd >= 0)
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->fd = -1;
    for (int i = 0; i < l->count; i++)
        if (l->events[i].data.ptr == w)
            l->events[i].data.ptr = NULL;
}

int loop_turn(struct loop *l, int timeout_ms, struct error *err)
{
    int n = epoll_wait(l->epoll_fd, l->events, ARRAY_LEN(l->events), timeout_ms);
    if (n < 0 && errno != EINTR)
        return error_errno(err, errno, "cannot wait for requests");
    l->count = n < 0 ? 0 : n;
    for (int i = 0; i < l->count; i++) {
        struct watch *w = l->events[i].data.ptr;
        if (w)
            w->ready(w->context, l->events[i].events);
    }
    l->count = 0;
    return 0;
}
