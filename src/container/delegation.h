/* Control groups of an ordinary user: a part of the v2 hierarchy that systemd (or the
 * administrator) has given to him. Where he has none his containers have no cgroups: no limits, no
 * pause. systemd gives one to every user's services and to what
 * `systemd-run --user --scope -p Delegate=yes COMMAND` starts, but not to a plain login. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/json.h"

struct delegation {
    char *path;         /* "/user.slice/.../user@1000.service": where his groups may be made */
    char **controllers; /* what they can limit: memory, pids, cpu ... */
};

/* Where a process in cgroup `own` may make groups, when files of `uid` are ours: the uppermost
 * group above it that is his and has no processes itself (the kernel gives no controllers to the
 * children of one that has), else the uppermost that is his. False: nowhere. `root` is where the
 * hierarchy is mounted. */
bool delegation_find(const char *root, const char *own, uid_t uid, struct delegation *ret);
/* The same of this process; always false where v1 hierarchies are used. */
bool delegation_here(struct delegation *ret);
void delegation_clear(struct delegation *d);
#define _cleanup_delegation_ _cleanup_(delegation_clear)

/* Takes out of linux.resources what these controllers do not limit. Returns the names of the
 * controllers that were wanted and are not there, NULL: none. The caller frees. */
char **delegation_fit(struct json *resources, char *const *controllers);
