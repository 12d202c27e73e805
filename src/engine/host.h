/* What a checkpoint needs of the machine it is restored on: kept in firn-extra.json, checked before
 * anything is done. */
#pragma once

#include "base/error.h"
#include "base/json.h"

/* {"kernel", "cpu": [flags], "pageSize", "vdso": sha256} of this machine. */
struct json *host_describe(void);
/* Everything that is missing here, in one error. `wanted` NULL: nothing is known, nothing wanted.
 */
int host_check(const struct json *wanted, struct error *err);
/* No pid in a new pid namespace is as high as this. Since Linux 6.14 each namespace has a limit of
 * its own, so one is made for the question if `wanted` is not below ours. */
int host_pid_limit(int wanted);
