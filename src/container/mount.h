/* `firn mount` and `firn unmount`: a container's rootfs for the user to look at. */
#pragma once

#include "container/container.h"

/* Mounts it if it is not. The path belongs to the caller. */
int container_mount(struct container *c, char **ret_path, struct error *err);
/* Unmounts it unless the container runs (then it stays, without error). Idempotent. */
int container_unmount(struct container *c, bool force, struct error *err);
/* The path if it is mounted, else NULL. The caller frees. */
char *container_mountpoint(const struct container *c);
