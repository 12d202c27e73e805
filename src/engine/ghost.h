/* Files that have lost the name they were opened by. One without any name left is a ghost: its
 * content goes into the checkpoint. One that has another name is linked: the checkpoint tells it.
 *
 * A restore makes each of them once, under its old name or one beside it, has init open it and
 * takes the name away again before anything else happens (engine/hoard.h). */
#pragma once

#include "engine/resources/resource.h"

/* Notes that the file behind `f`, whose entry is `reg`, has lost its name. */
int ghost_note(struct dump *d, const struct descriptor *f, const RegFileEntry *reg,
               struct error *err);
/* remap-fpath and the ghost files. */
int ghosts_write_images(struct dump *d, struct error *err);

/* Reads and checks what ghosts_write_images wrote. */
int ghosts_load(struct restore *r, struct error *err);

/* What a name gets that cannot be the old one. */
#define GHOST_SUFFIX ".firn-ghost-"
