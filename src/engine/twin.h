/* Twins: copy-on-write clones of processes, made while they stand still. The processes then go on,
 * while the memory as it was is read from the twins, which never run an instruction.
 *
 * A twin is a child of its process that nobody is told of (exit_signal 0). When it has served it is
 * killed, and its process is stopped once more for the moment it takes to wait for it. If we die
 * before, the kernel kills the twin with us; what remains of it is taken when its process ends.
 *
 * Not by twins come: memory that is shared (all of it is written while everything stands still),
 * and areas that a fork would leave out or wipe (madvise(2), MADV_DONTFORK, MADV_WIPEONFORK): their
 * pages are copied before. */
#pragma once

#include "engine/dump.h"

/* Decides who gets one: processes with enough memory, if the rest may go on (leave_running) and the
 * copies that writing will cause have room. */
int twins_choose(struct dump *d, struct error *err);
/* Makes them. A process that cannot have one (limits) is written as the others are. */
int twins_make(struct dump *d, struct error *err);
/* Ends them; also when something has failed. */
void twins_end(struct dump *d);
