/* Waiting for descriptors: the main loop of the service, one epoll(7).
 *
 *     struct watch w = WATCH_INIT(on_readable, context);
 *     loop_watch(loop, &w, fd, EPOLLIN);
 *     ...
 *     loop_forget(loop, &w);
 *
 * A watch may be changed or forgotten at any time, also from a callback. */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct loop;

struct watch {
    void (*ready)(void *context, uint32_t events);
    void *context;
    int fd; /* -1: not watched */
};
#define WATCH_INIT(f, c)                                                                           \
    (struct watch)                                                                                 \
    {                                                                                              \
        .ready = (f), .context = (c), .fd = -1                                                     \
    }

int loop_open(struct loop **ret, struct error *err);
void loop_close(struct loop *l);

/* Watches `fd` for `events` (EPOLLIN...; 0: hang-ups only), or changes what it is watched for. */
int loop_watch(struct loop *l, struct watch *w, int fd, uint32_t events);
void loop_forget(struct loop *l, struct watch *w);
/* Waits at most `timeout_ms` (-1: for ever) and calls back. */
int loop_turn(struct loop *l, int timeout_ms, struct error *err);
