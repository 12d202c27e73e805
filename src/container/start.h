/* init and start. */
#pragma once

#include "container/container.h"

/* `firn init`: up to, but not including, the start. ERROR_STATE if it is already.
 * `container <ID> has already been created in runtime: container state improper`. */
int container_init(struct container *c, struct error *err);

/* `firn start`: returns 1 when it was running already (nothing is done), else 0. */
int container_start(struct container *c, struct error *err);
