/* Files that no path leads to (any more): deleted ones, memfds. A restore makes them in init before
 * the others are born, so that every process has them, each under the same number everywhere, until
 * its own descriptors are in place. Whoever needs one opens it again by /proc/self/fd/NUMBER: a
 * description of his own with the flags he wants. */
#pragma once

#include "engine/restore.h"

struct hoarded;

struct hoard_type {
    /* Makes the file in init; returns a descriptor there, opened with O_PATH. `root` is the
     * container's root directory, for us. */
    int (*make)(struct maker *init, const struct hoarded *h, int root, struct error *err);
    /* When every process has what it needs; `fd` is our own, opened with O_PATH. May be NULL. */
    int (*finish)(struct restore *r, const struct hoarded *h, int fd, struct error *err);
};

struct hoarded {
    const struct hoard_type *type;
    uint64_t id; /* of this type */
    const void *state;
};

/* To be called while the plan is made. */
void hoard_add(struct restore *r, const struct hoard_type *type, uint64_t id, const void *state);
const struct hoarded *hoard_find(const struct restore *r, const struct hoard_type *type,
                                 uint64_t id);
/* Says that this open file of the checkpoint is `h`. */
void hoard_bind(struct restore *r, const FileEntry *file, const struct hoarded *h);

bool hoard_has(const struct restore *r, const FileEntry *file);

/* ---- steps ---- */

int restore_hoard(struct restore *r, struct error *err);
/* Brings all of it to a process that was not born of init. */
int hoard_bring(struct restore *r, struct task *t, struct error *err);
int restore_finish_hoard(struct restore *r, struct error *err);

/* Opens what the entry says, by its path or from the hoard. */
int maker_open_file(struct maker *m, const FileEntry *file, uint32_t flags, struct error *err);
