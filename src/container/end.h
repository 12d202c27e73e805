/* Bringing a container's processes to their end: shared by stop, kill and remove. */
#pragma once

#include "container/container.h"
#include "container/state.h"

/* Sends a signal to the very process `p`. Returns 0 or -errno (-ESRCH: gone). */
int end_signal(const struct process *p, int signal);
/* Waits until the init is gone and conmon has said so. Returns 0 or -ETIMEDOUT. */
int end_wait(struct container *c, const struct process *init, int64_t timeout_ns);
/* SIGKILL, thawed where it must be, and end_wait. Expects nothing. */
int end_kill(struct container *c, const struct container_status *s, struct error *err);
