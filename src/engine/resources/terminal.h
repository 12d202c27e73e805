/* Pseudo terminals: the container's own (its master is the monitor's) and pairs made inside. In the
 * image every side has a tty_info: the slave's id is index + 1, the master's MASTER_ID more. */
#pragma once

#include "engine/resources/resource.h"

#define MASTER_ID 0x10000u

/* The two devices. */
bool is_slave(const struct descriptor *f);
bool is_master(const struct descriptor *f);

/* Notes the state of the side `f` under `id`, once. */
int terminal_note(struct dump *d, const struct descriptor *f, uint32_t id, unsigned index,
                  TtyInfoEntry **ret, struct error *err);
/* Its descriptor, for what waits in it. */
void terminal_keep(struct dump *d, uint32_t id, int fd);
/* A tty_file for `f` that belongs to the tty_info `info_id`. */
void terminal_entry(struct dump *d, const struct descriptor *f, FileEntry *entry, uint32_t info_id);

/* The tty_info of an image; NULL if there is none. */
const TtyInfoEntry *terminal_info(const struct restore *r, uint32_t info_id);
/* Makes sure that the master of pair `index` exists, in whichever process. */
int terminal_need_master(struct maker *m, unsigned index, struct error *err);
/* Adds the calls that give a terminal its modes and size. */
void terminal_set_attributes(struct batch *b, int fd, const TtyInfoEntry *info);
