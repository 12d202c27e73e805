/* `docker start --checkpoint NAME`. */
#pragma once

#include "container/container.h"

/* `directory` NULL: where the container's own are. ERROR_NOT_FOUND: there is none of that name. */
int docker_checkpoint_restore(struct container *c, const char *directory, const char *name,
                              struct error *err);
