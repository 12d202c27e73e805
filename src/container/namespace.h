/* Mount namespaces: crun refuses hybrid cgroups (v1 controllers beside /sys/fs/cgroup/unified), so
 * there conmon and the runtime live in a mount namespace of their own in which the unified
 * hierarchy is hidden. What conmon starts at the end - this program, for the cleanup - has to come
 * back, because what it does to the container's mounts would be seen by nobody. */
#pragma once

#include <stdbool.h>

/* Does this host need the trick? */
bool namespace_needed(void);
/* For struct spawn's prepare: leaves for a namespace without the unified hierarchy. Takes no
 * context.
 */
int namespace_leave(void *context);
/* Covers the unified hierarchy in the mount namespace we are in. Returns 0 or -errno. */
int namespace_cover(void);
/* In conmon's environment: the name of the namespace to come back to, "mnt:[4026531841]". */
#define NAMESPACE_VARIABLE "_FIRN_MOUNT_NAMESPACE"
/* That name for the namespace we are in. The caller frees; NULL where not needed. */
char *namespace_name(void);
/* Called by conmon: goes back. conmon leaves no descriptor open that leads there, so any process
 * that still is there shows the way. Returns false if there is none: then nothing is to be touched,
 * and the next command finishes the work. True when there is nothing to do. */
bool namespace_come_home(void);
