/* The two steps that bring a prepared container to life, separately callable, since a restore does
 * prepare -> create with its own spec -> (engine seizes the init) -> start -> (engine releases).
 * Both expect the container's lock to be held. */
#pragma once

#include "base/process.h"
#include "container/container.h"

struct runtime_create_options {
    const struct json
        *spec; /* given to the runtime instead of <directory>/config.json; NULL: that one */
};

/* conmon + `RT create`. Afterwards the state is INITIALIZED. On failure nothing is left of it (but
 * the mounts of container_prepare, see container_cleanup). */
int container_create_in_runtime(struct container *c, const struct runtime_create_options *options,
                                struct process *ret_init, struct error *err);
/* `RT start`, and the facts: started_at = now, checkpointed = false. Does not touch restored*. */
int container_start_in_runtime(struct container *c, struct error *err);
