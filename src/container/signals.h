/* Signals by name and number. */
#pragma once

#include "base/error.h"

/* "KILL", "SIGKILL", "sigkill", "9", "RTMIN+3", ... The number or -EINVAL: `invalid signal: BOGUS`.
 */
int signal_parse(const char *name, struct error *err);
/* "SIGKILL"; NULL if it has no name. */
const char *signal_name(int signal);
