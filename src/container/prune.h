#pragma once

#include "container/container.h"

/* Removes every container that is not running and matches `filters` (label=, label!=, until=). The
 * ids of those removed are added to ret_ids (base/strv.h), also on error. `bogus is an invalid
 * filter`. */
int container_prune(struct firn *firn, char *const *filters, char ***ret_ids, struct error *err);
