/* What the container has changed in its mount namespace since the runtime made it: a restore gets
 * only what the runtime makes again, so changes are refused by name. What comes from the host by
 * propagation is the host's. */
#pragma once

#include "engine/dump.h"

int dump_check_mounts(struct dump *d, struct error *err);
