/* A process of a dump does something for us: its first thread is borrowed and driven, and is as it
 * was when this returns. */
#pragma once

#include "engine/batch.h"
#include "engine/task.h"

int task_visit(struct task *t,
               int (*what)(struct task *t, struct batch *b, void *context, struct error *err),
               void *context, struct error *err);
