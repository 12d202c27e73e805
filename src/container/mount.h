/* `firn mount` and `firn unmount`: a container's rootfs for the user to look at. */
#pragma once

#include "container/container.h"

/* Mounts it if it is not; it stays mounted when the container ends. The path belongs to the caller.
 */
int container_mount(struct container *c, char **ret_path, struct error *err);
/* Unmounts it; while the container runs the mount stays until its end. Idempotent. */
int container_unmount(struct container *c, bool force, struct error *err);
/* The path if it is mounted, else NULL. The caller frees. */
char *container_mountpoint(const struct container *c);
/* Did the user ask for the mount (and not take it back)? Then the end of the container leaves it.
 */
bool mount_is_wanted(const struct container *c);
