/* A supervisor at work: what supervisor.c and requests.c share. */
#pragma once

#include "execution/execution.h"
#include "execution/server.h"

/* A checkpoint that waits for the worker's locks. */
struct pending {
    bool waits;
    struct connection *connection; /* who asked */
    uint64_t serial;
    int64_t deadline; /* monotonic */
    bool suspend;     /* it ends the container */
    bool leave_running;
    int64_t wake_at;
    char *token;
};

struct supervision {
    struct execution *e;
    struct server server;
    int lock_fd;
    int init_fd; /* pidfd of the worker, -1 */
    bool ran;    /* we have seen the worker running: its end is news */
    bool gone;   /* nothing is left to do */
    int64_t kill_at;
    struct pending pending;
};

void supervision_save(struct supervision *s);
/* Remembers what went wrong; NULL: nothing any more. */
void supervision_note(struct supervision *s, const char *text);
/* It is over, and saved. */
void supervision_end(struct supervision *s, enum execution_state state, int code);
