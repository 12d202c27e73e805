/* The process that sees to one execution: `firn execution supervise ID`, started by whoever starts
 * or finds the execution (recover.h). It holds the execution's lock, so that there is one; it can
 * be killed at any moment: the next one goes on from what the database and the kernel say.
 *
 * What may be asked on its sockets (http.h), by the worker and by firn:
 *
 *   POST /checkpoint {"token"}       -> {"side": "before" | "after", "sequence": N}
 *   POST /suspend {"token", "for": "90s" | SECONDS, "until": TIME, "until_signal": true}
 *   POST /lock, /unlock {"holder"}   -> {"locks": [...]}; no checkpoint is made while there are any
 *   POST /exit {"code", "output"}    -> {}; the execution is finished, the worker has `grace` to
 * end GET  /execution                  -> {"id", "sequence", "restores", ...}
 *
 * and by firn alone:
 *
 *   POST /checkpoint {"leave_running"}; POST /resume; POST /kill {"signal"} */
#pragma once

#include "base/error.h"
#include "execution/execution.h"

/* Returns when the execution is over (0), or when it has a supervisor already (1). */
int supervise(struct execution *e, struct error *err);
