/* Whether a container runs: never stored, derived from the kernel at each look. */
#pragma once

#include "base/error.h"
#include "base/process.h"
#include "container/container.h"

enum container_state {
    CONTAINER_CREATED,     /* never run */
    CONTAINER_INITIALIZED, /* created in the runtime, its init waits for start */
    CONTAINER_RUNNING,
    CONTAINER_PAUSED,
    CONTAINER_STOPPING, /* runs, `stop` waits for its end */
    CONTAINER_STOPPED,  /* its init is gone, cleanup was not done yet; shown as exited */
    CONTAINER_EXITED,
    CONTAINER_REMOVING,
};

/* Of a container whose conmon was killed. */
enum { EXIT_CODE_UNKNOWN = 255 };

/* What one look shows. */
struct container_status {
    enum container_state state;
    struct process init;   /* pid 0 unless initialized, running, paused, stopping */
    struct process conmon; /* pid 0 if gone */
    int exit_code;         /* valid in STOPPED and EXITED */
    int64_t started_at;
    int64_t finished_at; /* likewise; 0 in other states */
};

/* No lock needed. */
int container_status(struct container *c, struct container_status *ret, struct error *err);
/* "created" "initialized" "running" "paused" "stopping" "stopped" "exited" "removing". */
const char *container_state_name(enum container_state state);
/* As shown by ps and inspect: STOPPED is "exited". */
const char *container_state_shown(enum container_state state);
/* The reverse of both plus "configured", or -1. */
int container_state_parse(const char *name);
/* RUNNING, PAUSED or STOPPING. */
bool container_state_is_alive(enum container_state state);
/* The STATUS column of ps: "Up 2 seconds", "Exited (137) 5 minutes ago", "Created". The caller
 * frees. */
char *container_status_text(const struct container_status *status);
