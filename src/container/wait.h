#pragma once

#include "container/container.h"

/* Waits until the container is in one of `conditions` (state names as container_state_name,
 * "configured", "stopped"; NULL: "stopped", which also is reached by exited, created and removed)
 * and gives the exit code; -1 for conditions other than stopped and exited, 0 for a container that
 * never ran. `interval_ns` only matters for conditions that no event announces. A container ended
 * by a checkpoint ends the wait with its exit code 0. Unknown: `unknown container state: bogus:
 * invalid argument`. */
int container_wait(struct container *c, char *const *conditions, int64_t interval_ns, int *ret_code,
                   struct error *err);

/* The exit code of a container that removed itself some minutes ago at most, by its full id.
 * -ENOENT without error text: unknown. */
int container_wait_removed(struct firn *firn, const char *id, int *ret_code);
