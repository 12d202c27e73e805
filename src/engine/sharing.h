/* Processes that share memory, descriptors, directories or signal actions without being threads of
 * one process: clone(2) with CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_SIGHAND.
 *
 * Nothing but a birth makes processes share, so a restore lets a sharer be born of one who has all
 * of it: its parent, or a child of the same parent (CLONE_PARENT). */
#pragma once

#include "base/error.h"
#include "engine/task.h"

struct dump;

/* Finds out who shares what; refuses what no birth could make again. */
int dump_find_sharing(struct dump *d, struct error *err);

/* Nobody shares with it, or there is somebody to bear it. */
bool sharing_is_sound(const struct tree *tree, const struct task *t);
/* Of whom a restore lets `t` be born; NULL if there is nobody. */
struct task *sharing_bearer(const struct tree *tree, const struct task *t);
/* The CLONE_* of that birth, without CLONE_PARENT. */
uint64_t sharing_flags(const struct task *bearer, const struct task *t);
