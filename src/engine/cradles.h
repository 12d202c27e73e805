/* Memory that relatives share copy-on-write is shared again: an area that processes have in common
 * is made once, in init, as a cradle, before the others are born of it, and filled with the pages
 * that are the same in several. Everybody is born with it; who has no such area unmaps it, and what
 * differs is filled in afterwards. As in life, only what is written to is copied.
 *
 * Which pages are the same is told by their content. For checkpoints in files only: where pages
 * come as a stream, births cannot wait for them. */
#pragma once

#include "engine/batch.h"
#include "engine/restore.h"

struct cradle {
    uint64_t start, end;
    const VmaEntry *area; /* the owner's */
    struct task *owner;   /* the eldest that has the area */
    bool made;
};

/* The step: makes and fills the cradles in init. */
int restore_cradles(struct restore *r, struct error *err);

/* In a process just born: unmaps those that are not its own. */
int cradles_leave(const struct restore *r, const struct task *t, struct batch *b,
                  struct error *err);
/* The first of its own cradles that lies between these addresses; NULL if there is none. Nothing
 * needs to be mapped there. */
const struct cradle *cradles_find(const struct restore *r, const struct task *t, uint64_t start,
                                  uint64_t end);
/* Makes pages empty that are not so in the cradle. */
int cradles_forget(const struct restore *r, const struct task *t, struct batch *b,
                   struct error *err);
