/* The stage: where the executor and its data live in the memory of a puppet's process.
 *
 * In a process that is dumped it is raised such that our death at any moment leaves the process
 * unharmed: the executor is written into the unused end of the vdso, its trap (SIGTRAP) calls a
 * rescue that puts the thread back to where it was, and every thread that is driven has what its
 * rescue needs on its own stack. See docs/puppet.md.
 *
 * In a process that is restored the kernel kills it with us, and the vdso moves: there the executor
 * stands at the beginning of the stage. */
#pragma once

#include "engine/puppet.h"

#define STAGE_DATA_SIZE (256ull * 1024)
#define STAGE_SIZE      (PAGE + STAGE_DATA_SIZE)

/* For a dump: the first thread, borrowed. `vdso_end` is the end of its vdso; `alone` says that the
 * process has no other thread. */
int stage_raise(struct puppet *p, remote_addr vdso_end, bool alone, struct error *err);
/* For a further thread, borrowed: it is about to be driven. */
int stage_enter(struct puppet *p, struct error *err);
/* Takes everything away again when all other threads have been returned; SIGTRAP does what it did
 * before. The registers are those the thread had, if not yet quite: puppet_return comes next. */
int stage_strike(struct puppet *p, struct error *err);

/* For a restore: at `where`. */
int stage_raise_new(struct puppet *p, remote_addr where, struct error *err);
/* Sets SIGTRAP's action (stage.trap) and unmaps it, unless another process needs it still. */
int stage_strike_new(struct puppet *p, bool needed, struct error *err);
