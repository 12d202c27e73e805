#pragma once

#include "container/container.h"

/* The stop signal, SIGKILL after `timeout_seconds` (< 0: the container's own stop timeout),
 * cleanup. A container that does not run is success; returns 1 then, else 0. A paused one is thawed
 * with the signal pending. Warns when it had to be killed. */
int container_stop(struct container *c, int timeout_seconds, struct error *err);
