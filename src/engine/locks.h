/* Locks on files: POSIX, flock, open file description locks, leases. Those of a process are given
 * back to it when all descriptors are in place, for closing one takes its locks away. Who waited
 * for a lock asks again, as after any interruption. */
#pragma once

#include "engine/resources/resource.h"

/* Notes the locks that fdinfo shows at a descriptor of open file `file_id`. */
int locks_note(struct dump *d, const struct descriptor *f, uint32_t file_id, struct error *err);
int locks_write_images(struct dump *d, struct error *err);

int locks_load(struct restore *r, struct error *err);
int restore_locks(struct restore *r, struct error *err);
