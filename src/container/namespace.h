/* Mount namespaces: crun refuses hybrid cgroups (v1 controllers beside /sys/fs/cgroup/unified), so
 * there conmon and the runtime live in a mount namespace of their own without the unified
 * hierarchy. What conmon starts at the end - this program, for the cleanup - has to come back,
 * because the container's own mounts are not in there. */
#pragma once

#include <stdbool.h>

struct spawn;

/* Does this host need the trick? */
bool namespace_needed(void);
/* For struct spawn's prepare: leaves for a namespace without the unified hierarchy. Takes no
 * context. */
int namespace_leave(void *context);
/* Our mount namespace as a descriptor for conmon to hold while it lives. -1 where not needed. */
int namespace_open(void);
/* In the environment of conmon: which of its descriptors that is. */
#define NAMESPACE_VARIABLE "_FIRN_MOUNT_NAMESPACE"
/* Called by conmon: goes back to the namespace it holds for us. Otherwise does nothing. */
void namespace_come_home(void);
