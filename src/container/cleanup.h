/* After the end of a container: put away what stood around it. */
#pragma once

#include "container/container.h"

struct cleanup_options {
    bool remove;      /* remove the container too: what conmon asks for one made with --rm */
    const char *exec; /* only put this exec session away */
};

/* Takes exit code and time over from the exit file, deletes it in the runtime, unmounts.
 * Idempotent. ERROR_STATE when it runs: `container ID is running or paused, refusing to clean up:
 * container state improper`. */
int container_cleanup(struct container *c, const struct cleanup_options *options,
                      struct error *err);

/* The same for the other verbs: its init is gone (or waits for a start that will not come, then it
 * is killed). Expects the lock. */
int cleanup_ended(struct container *c, struct error *err);
/* After a `create` that failed: no trace of it in the runtime and in <runroot>; mounts stay.
 * Expects the lock. */
void cleanup_after_failure(struct container *c);

/* Said by a checkpoint right before it ends the container's processes, the point of no return:
 * whoever cleans up afterwards records the end as a checkpoint, exit code 0, and not as a crash. */
int checkpoint_mark_write(struct container *c, const char *checkpoint_path, struct error *err);
/* It is ending like that right now. */
bool checkpoint_mark_exists(const struct container *c);
/* Records that the present run began by a restore. Expects the lock. */
int container_mark_restored(struct container *c, struct error *err);
