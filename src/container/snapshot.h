/* What a checkpoint holds besides the processes: the container's description, and what its
 * processes have written where it goes away or travels with them - the writable layer, /dev/shm,
 * tmpfs mounts, named volumes. Written while everything stands still. */
#pragma once

#include <sys/types.h>

#include "container/checkpoint.h"
#include "container/target.h"

struct snapshot {
    struct container *c;
    const struct checkpoint_options *options;
    pid_t init;
    char **layers; /* directories of the image, bottom first; asked for before anything stops */
};

int snapshot_prepare(struct snapshot *s, struct error *err);
/* Everything but the images of the processes. */
int snapshot_write(const struct snapshot *s, struct target *t, struct error *err);
void snapshot_clear(struct snapshot *s);
#define _cleanup_snapshot_ _cleanup_(snapshot_clear)

/* ---- and back ---- */

/* The writable layer becomes what it was: before container_prepare (which mounts it). The layer
 * that was there stays aside until snapshot_keep_rootfs or snapshot_revert_rootfs. */
int snapshot_reset_rootfs(struct container *c, struct error *err);
int snapshot_keep_rootfs(struct container *c, struct error *err);
int snapshot_revert_rootfs(struct container *c, struct error *err);
/* Applies rootfs-diff.tar and deleted.files of the checkpoint in `dirfd` to the mounted rootfs. */
int snapshot_apply_rootfs(struct container *c, int dirfd, struct error *err);
/* /dev/shm, after container_prepare. */
int snapshot_apply_shm(struct container *c, int dirfd, struct error *err);
/* tmpfs mounts, when the runtime has made the container. */
int snapshot_apply_tmpfs(struct container *c, int dirfd, pid_t init, const struct json *spec,
                         struct error *err);
/* Content of one named volume into its directory. */
int snapshot_apply_volume(int dirfd, const char *name, const char *mountpoint, struct error *err);
