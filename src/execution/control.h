/* Asking an execution's supervisor, see supervisor.h. One that is not there is started. */
#pragma once

#include "execution/execution.h"

/* `body` may be NULL; *ret (may be NULL) is the answer. An answer other than 200 is the error it
 * tells. ERROR_STATE for an execution that is over. */
int control_ask(struct execution *e, const char *method, const char *path, const struct json *body,
                struct json **ret, struct error *err);

/* Waits until it is over. */
int control_wait(struct execution *e, struct error *err);
