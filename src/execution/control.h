/* Asking an execution's supervisor, see supervisor.h. One that is not there is started. */
#pragma once

#include "execution/execution.h"

/* `body` may be NULL; *ret (may be NULL) is the answer. An answer other than 200 is the error it
 * tells. ERROR_STATE for an execution that is over. */
int control_ask(struct execution *e, const char *method, const char *path, const struct json *body,
                struct json **ret, struct error *err);

/* Waits until the supervisor of one that is over, or whose record is gone, has ended. Returns its
 * lock, so that there will be none again, or a negative error. */
int control_take_over(const struct execution *e, struct error *err);

/* Waits until it is over. */
int control_wait(struct execution *e, struct error *err);
