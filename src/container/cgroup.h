/* The container's control groups, v1, v2 and hybrid. Paths are those of this process's view of
 * /sys/fs/cgroup. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "container/container.h"

enum cgroup_mode {
    CGROUP_V2,     /* only the unified hierarchy */
    CGROUP_V1,     /* only v1 hierarchies */
    CGROUP_HYBRID, /* v1 controllers and /sys/fs/cgroup/unified */
};
enum cgroup_mode cgroup_mode(void);

/* Has it cgroups at all? An ordinary user's containers have them where he was given a part of the
 * hierarchy (delegation.h): cgroup_prepare finds that out. */
bool cgroup_is_used(const struct container *c);
/* Are its cgroups made by systemd (--cgroup-manager systemd)? */
bool cgroup_uses_systemd(const struct container *c);
/* Before the runtime creates an ordinary user's container: chooses the place of its cgroup and lets
 * its controllers reach there; <run_directory>/cgroup remembers both. Nothing for root. */
int cgroup_prepare(struct container *c, struct error *err);
/* What cgroup_prepare found: names of controllers. The caller frees. */
char **cgroup_controllers(const struct container *c);

/* linux.cgroupsPath of its spec: "/libpod_parent/libpod-<id>" (cgroupfs) or
 * "machine.slice:libpod:<id>". The caller frees. */
char *cgroup_spec_path(const struct container *c);
/* The directory that holds its freezer: <v1 freezer>/... with freezer.state, or the v2 group with
 * cgroup.freeze. The caller frees; NULL: it has none now. */
char *cgroup_freezer_directory(const struct container *c, bool *ret_v2);
/* The directory of a v1 controller or hierarchy, or the v2 group. The caller frees; NULL: there is
 * none now. */
char *cgroup_directory(const struct container *c, const char *controller);
/* The names of the hierarchies it has groups in, as cgroup_directory takes them; v2: one "". */
char **cgroup_hierarchies(const struct container *c);
/* Is it frozen (by pause)? No cgroup: false. */
bool cgroup_is_frozen(const struct container *c);
/* Every process in its cgroups, children included (our pid namespace). The caller frees. */
int cgroup_processes(const struct container *c, pid_t **ret, size_t *ret_count, struct error *err);
/* How many bytes more its processes may use: what its limit and the host have left. */
uint64_t cgroup_memory_to_spare(const struct container *c);
/* Puts a process into all of its cgroups. */
int cgroup_join(const struct container *c, pid_t pid, struct error *err);
/* Kills every process in it and removes what directories are left, all hierarchies. Idempotent. */
int cgroup_remove(const struct container *c, struct error *err);

/* Moving a process between cgroups waits for an RCU grace period (8 ms on a small machine), unless
 * somebody just did. Begins that wait now, on the side, for the move the runtime is going to make.
 */
void cgroup_warm_up(void);
