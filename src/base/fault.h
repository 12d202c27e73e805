/* Places where a test makes firn fail: only in builds with -Dfaults=true, nothing in others.
 *
 *     int r = write_it(x, err);
 *     if (r == 0)
 *         r = fault("checkpoint", "it is written", err);
 *
 * FIRN_FAULT="fail@checkpoint: it is written" makes that return -EIO, "kill@..." kills the process
 * by SIGKILL instead; "#3" behind it means the third time that a process passes there.
 * FIRN_FAULT_TRACE names a file to which every place passed is appended, a line each: the list of
 * places. See tests/engine/test_faults.py. */
#pragma once

#include "base/error.h"

#ifdef FIRN_FAULTS
int fault(const char *job, const char *place, struct error *err);
#else
static inline int fault(const char *, const char *, struct error *)
{
    return 0;
}
#endif
