/* After the end of a container: put away what stood around it. */
#pragma once

#include "container/container.h"

struct cleanup_options {
    bool remove;      /* remove it too if it was made with --rm; conmon's call and attached runs */
    const char *exec; /* only put this exec session away */
};

/* Takes exit code and time over from the exit file, deletes it in the runtime, unmounts.
 * Idempotent. ERROR_STATE when it runs: `container ID is running or paused, refusing to clean up:
 * container state improper`. */
int container_cleanup(struct container *c, const struct cleanup_options *options,
                      struct error *err);

/* What a checkpoint does with the container whose processes it has put away: kills what is left,
 * deletes it in the runtime, unmounts (unless keep_mounted), records exited with code 0,
 * checkpointed_at and the path. The log says nothing of it. Expects the lock. */
int container_mark_checkpointed(struct container *c, const char *checkpoint_path,
                                struct error *err);
/* Records that the present run began by a restore. Expects the lock. */
int container_mark_restored(struct container *c, struct error *err);
