/* A container's root file system for the time of a look: mounted if it is not.
 *
 *     _cleanup_rootfs_ struct rootfs root = ROOTFS_INIT;
 *     r = rootfs_open(c, &root, err);
 *     ... open_in_root(root.fd, path, ...) ...
 */
#pragma once

#include "container/container.h"

struct rootfs {
    struct container *c; /* NULL: not open */
    int fd;              /* of the directory */
    bool mounted;        /* by us: unmounted again at the end, unless it is in use by then */
};
#define ROOTFS_INIT                                                                                \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* The overlay, without what is mounted on it. The lock is taken while mounting, not kept. */
int rootfs_open(struct container *c, struct rootfs *ret, struct error *err);
void rootfs_close(struct rootfs *r);
#define _cleanup_rootfs_ _cleanup_(rootfs_close)
