/* What a container wrote, from its k8s-file log. */
#pragma once

#include "container/container.h"

struct logs_options {
    bool follow; /* until the container ends, or is checkpointed */
    bool timestamps;
    int64_t tail;  /* lines, -1: all */
    int64_t since; /* ns since the epoch, 0: no limit */
    int64_t until;
    const char *prefix; /* put before each line ("<id12> "), NULL: none */
    int stdout_fd;
    int stderr_fd;
    /* If set: what is not later is left out, and it becomes the time of the last line. */
    int64_t *shown;
    /* If set, gets the text instead of the two descriptors: a line with its newline, or a part of
     * one. A negative result: the reader has gone away. */
    int (*write)(void *context, bool is_stderr, const char *text, size_t size);
    void *context;
};
#define LOGS_OPTIONS_INIT                                                                          \
    {                                                                                              \
        .tail = -1, .stdout_fd = 1, .stderr_fd = 2                                                 \
    }

/* A container without log: `this container is using the 'none' log driver, cannot read logs: this
 * container is not logging output`. Returns 0 also when the reader of our output went away. */
int container_logs(struct container *c, const struct logs_options *options, struct error *err);
