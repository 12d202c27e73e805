/* Work that must not be left half-done: taking something out of the workload's hands and putting it
 * back. A child does it with all signals blocked; it goes on if we are killed. */
#pragma once

#include "base/error.h"

/* Calls `run` in such a child, which has copies of our descriptors, and waits for its end. */
int shield(int (*run)(void *context, struct error *err), void *context, struct error *err);
/* For a child that is there already: signals do not end it, nor what ends our session or group. */
void shield_us(void);
