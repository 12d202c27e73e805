/* The limits of an ipc namespace (the numbers in /proc/sys for System V objects and message
 * queues), which a program with the right to may have changed. Kept as "ipcSettings" in
 * firn-extra.json if they are not the kernel's own. */
#pragma once

#include "base/buf.h"
#include "engine/dump.h"

struct restore;

/* In a child inside the namespace: "path value" lines of all that differ from what is usual. */
void ipc_settings_read(struct buf *ret);
/* Puts what was read into d->extra. */
void ipc_settings_note(struct dump *d, const char *lines);
/* Step of a restore, before any object is made. */
int ipc_settings_restore(struct restore *r, struct error *err);
