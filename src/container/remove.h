#pragma once

#include "container/container.h"

struct remove_options {
    bool force;          /* running and paused ones too */
    bool volumes;        /* its anonymous volumes too (always with auto-remove) */
    int timeout_seconds; /* for the stop with force; < 0: the container's own */
};

/* ERROR_STATE (exit 2): `cannot remove container ID as it is running - running or paused containers
 * cannot be removed without force: container state improper`. */
int container_remove(struct container *c, const struct remove_options *options, struct error *err);
