#pragma once

#include "container/container.h"

/* Sends a signal to the container's init; works on paused ones. ERROR_STATE: `can only kill running
 * containers. ID is in state exited: container state improper`. With SIGKILL waits until it is
 * gone, so that what comes next finds it exited. */
int container_kill(struct container *c, int signal, struct error *err);
