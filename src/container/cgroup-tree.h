/* Control groups that programs have made below the container's own (a container that runs systemd,
 * or another container engine): which there are, who is in them, their limits. A checkpoint holds
 * them as cgroups.json:
 *
 *     [{"hierarchy": "cpu", "path": "a/b", "settings": {"cpu.shares": "512"}, "processes": [7]}]
 *
 * with "" as the hierarchy of cgroup v2, and pids as the container numbers them. */
#pragma once

#include "base/error.h"
#include "base/json.h"
#include "container/container.h"

#define CGROUP_TREE_FILE "cgroups.json"

/* NULL: there are none. The caller owns it. */
struct json *cgroup_tree_read(const struct container *c);

/* Makes them again in the container's own. `pid_of` tells our pid of a process, 0: there is none.
 * The description is not trusted: nothing outside the container's own groups is touched. */
int cgroup_tree_make(const struct container *c, const struct json *tree,
                     pid_t (*pid_of)(void *context, pid_t vpid), void *context, struct error *err);
