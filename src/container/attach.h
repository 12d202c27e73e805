/* Our stdio joined to that of a container or of an exec session. */
#pragma once

#include "container/container.h"

struct attach_options {
    int stdin_fd;  /* -1: do not forward input */
    int stdout_fd; /* -1: drop */
    int stderr_fd;
    const char *detach_keys; /* NULL: ctrl-p,ctrl-q; "": none */
    bool signal_proxy;       /* forward the signals we get to the container */
};
#define ATTACH_OPTIONS_INIT                                                                        \
    {                                                                                              \
        .stdin_fd = -1, .stdout_fd = 1, .stderr_fd = 2, .signal_proxy = true                       \
    }

enum attach_end {
    ATTACH_ENDED,    /* the container closed its output */
    ATTACH_DETACHED, /* the user typed the detach keys */
};

/* `firn attach`. ERROR_STATE: `you can only attach to running containers`. Returns enum attach_end.
 * On ATTACH_ENDED the exit code of the container is in ret_code. */
int container_attach(struct container *c, const struct attach_options *options, int *ret_code,
                     struct error *err);

/* `firn run` in the foreground and `firn start --attach`: initialises, attaches, starts, and
 * follows to the end. Not one byte of output is missed. For a container with --rm, also removes it
 * at the end. Returns enum attach_end; if it was running already, attaches only. */
int container_start_attached(struct container *c, const struct attach_options *options,
                             int *ret_code, struct error *err);
