/* Users and groups as a container's own /etc/passwd and /etc/group know them. */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "base/json.h"

struct container_user {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary */
    size_t group_count;
    char *home; /* "/" when unknown */
};
void container_user_clear(struct container_user *u);
#define _cleanup_container_user_ _cleanup_(container_user_clear)

/* `user`: "", "name", "uid", either with ":group" or ":gid"; `extra_groups` as --group-add. The
 * files are read below `rootfs`, no link leads out. `unable to find user nosuch: no matching
 * entries in passwd file` (ERROR_CANNOT_INVOKE). */
int container_user_lookup(const char *rootfs, const char *user, char *const *extra_groups,
                          struct container_user *ret, struct error *err);
/* process.user of an OCI spec; keeps what else is in there (umask). */
void container_user_store(const struct container_user *u, struct json *process_user);
