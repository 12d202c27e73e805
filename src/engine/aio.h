/* Contexts of asynchronous I/O, io_setup(2): a ring in the memory of the process, whose address is
 * the context's name. Kept are the ring and the events in it that nobody has fetched. Requests that
 * the kernel still works at cannot be seen by anybody; if one ends while the process stands still,
 * the checkpoint is refused. */
#pragma once

#include "engine/dump.h"
#include "engine/restore.h"
#include "engine/vma.h"

/* Notes the ring that the area `v` is. */
int aio_dump(struct dump *d, struct task *t, const struct vma *v, struct error *err);
/* At the end of a dump: has a request ended meanwhile? */
int aio_check_idle(struct dump *d, struct error *err);

/* Makes the contexts of a process again. The batch is the process's. */
int aio_restore(struct restore *r, struct task *t, struct batch *b, struct error *err);
/* Judges the images. */
int aio_check(const struct task *t, struct error *err);
