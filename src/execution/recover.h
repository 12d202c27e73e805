/* Executions whose supervisor is gone - killed, or with the whole machine - get a new one. */
#pragma once

#include "execution/execution.h"

/* Starts the supervisor of one, unless it has one. Does not wait. */
int recover_supervisor(const struct execution *e, struct error *err);
/* Of all that are not over. Best effort: what cannot be started is logged. Done by every command
 * about executions, and after boot. */
int recover_all(struct firn *firn, struct error *err);
/* Has it a supervisor now? */
bool recover_is_supervised(const struct execution *e);
