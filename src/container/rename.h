#pragma once

#include "container/container.h"

/* `names must match ...` for what is no name; taken (ERROR_CONFLICT): `renaming container ID: name
 * X already in use, cannot rename container ID: container already exists`. */
int container_rename(struct container *c, const char *name, struct error *err);
