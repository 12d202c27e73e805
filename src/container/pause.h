#pragma once

#include "container/container.h"

/* ERROR_STATE: `"<ID>" is already paused: container state improper`, `"exited" is not running,
 * can't pause: container state improper`. */
int container_pause(struct container *c, struct error *err);
/* ERROR_STATE: `"<ID>" is not paused, can't unpause: container state improper`. */
int container_unpause(struct container *c, struct error *err);
