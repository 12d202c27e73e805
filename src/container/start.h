/* init and start. The errors are those of `run` (126, 127); `firn start` wraps them in `unable to
 * start container "ID": ...` and exits with 125. */
#pragma once

#include "container/container.h"

/* `firn init`: up to, but not including, the start. ERROR_STATE if it is already:
 * `container <ID> has already been created in runtime: container state improper`. */
int container_init(struct container *c, struct error *err);

/* `firn start`: returns 1 when it was running already (nothing is done), else 0. */
int container_start(struct container *c, struct error *err);

/* As container_init, but one that is initialized already is success. Expects the lock. Returns 1
 * when it is running already. */
int start_bring_up(struct container *c, struct error *err);
