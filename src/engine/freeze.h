/* Stops every thread of a process tree by ptrace, so that nothing of it runs and nothing new is
 * born. No cgroup freezer: a tree that is stopped by ptrace alone goes on by itself when we die. */
#pragma once

#include "engine/engine.h"
#include "engine/task.h"

struct frozen {
    pid_t tid, process;
    bool stopped;
    bool gone;       /* it died meanwhile; the entry stays so that its tid is known */
    int stop_signal; /* of a group stop, else 0 */
};

struct freezer {
    struct frozen *threads;
    size_t count, room;
    uint32_t *index; /* hash of tid to position + 1 */
    size_t index_size;
    bool seccomp_suspended;
};

/* Fills `f`. On error everything that was stopped goes on. */
int freeze(const struct dump_options *o, struct freezer *f, struct error *err);
/* The same, once all processes run programs of the container: one that was only just started may
 * not have come so far. */
int freeze_started(const struct dump_options *o, struct freezer *f, struct error *err);
/* Stops one thread that was let go, within this time; 0 or -errno. It is the caller's to detach. */
int freeze_thread(const struct freezer *f, pid_t tid, int64_t timeout_us);
/* Detaches from all that are stopped. */
void thaw(struct freezer *f);
void freezer_free(struct freezer *f);

/* Calls `each` with every process of the tree (ours), zombies included, each once. It returns 1 to
 * have the children of the process looked for, else 0, or an error that ends the walk. */
int each_member(const struct dump_options *o, int (*each)(pid_t pid, void *context), void *context,
                struct error *err);
