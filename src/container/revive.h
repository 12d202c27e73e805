/* The middle of every restore: from a checkpoint's directory and a container that does not run to
 * one that does. */
#pragma once

#include "container/container.h"
#include "container/job.h"
#include "container/restore.h"

struct revival_plan {
    struct container *c; /* locked, not running */
    int dirfd;           /* the checkpoint, in Podman's layout */
    bool apply_rootfs;   /* the writable layer is not yet what it was */
    bool apply_volumes;
    const struct restore_options *options;
    const struct page_stream *pages; /* NULL: they are in the directory (engine/engine.h) */
    bool new_start;                  /* StartedAt becomes now (import) */
};

/* On failure nothing runs, nothing is mounted, and the writable layer is as it was before. */
int revive(struct job *job, const struct revival_plan *plan, struct restore_stats *stats,
           struct error *err);

/* A restore that was killed together with its job leaves a mark; whoever locks the container next
 * undoes it. Returns 1 if the container is gone by that (it was half imported). */
int revive_recover(struct container *c, struct error *err);
/* Removes what an import had made: the container, and its volumes unless they were there before. */
int revive_remove(struct container *c, bool keep_volumes, struct error *err);
/* Said before the first change, taken back when all is done. */
int revive_mark(struct container *c, const char *what, struct error *err);
void revive_unmark(struct container *c);
#define REVIVE_IMPORT         "import"
#define REVIVE_IMPORT_KEEPING "import without volumes" /* those that are there stay */
#define REVIVE_RESTORE        "restore"
