/* Carries bytes between our stdio and an attach socket of conmon. */
#pragma once

#include <stdbool.h>

#include "base/process.h"
#include "container/attach.h"

struct stream {
    int fd;                /* the attach socket */
    const char *directory; /* where conmon's ctl fifo is, for the terminal's size */
    bool tty;
    bool input;                 /* it reads stdin */
    const struct process *init; /* who gets proxied signals; NULL: nobody */
};

/* Returns enum attach_end or -errno. The terminal is back in its old mode afterwards. */
int stream_run(const struct stream *s, const struct attach_options *options, struct error *err);
