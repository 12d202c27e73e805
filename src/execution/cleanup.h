#pragma once

#include "execution/execution.h"

/* Removes an execution that is over: its container, its checkpoint, its record. One that is not is
 * killed first with `force`; without: ERROR_STATE. */
int execution_cleanup(struct execution *e, bool force, struct error *err);
