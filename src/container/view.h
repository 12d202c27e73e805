/* The files of a host or of a container, as whoever lives there sees them: of a running container
 * through its init, of another one its root file system and the volumes that would be mounted. */
#pragma once

#include <sys/types.h>

#include "container/container.h"
#include "container/rootfs.h"

struct view {
    struct container *c; /* NULL: the host */
    struct rootfs rootfs;
    int root; /* -1: the host */
    bool runs;
};
#define VIEW_INIT                                                                                  \
    {                                                                                              \
        .rootfs = ROOTFS_INIT, .root = -1                                                          \
    }

int view_open(struct container *c, struct view *ret, struct error *err);
void view_close(struct view *v);
#define _cleanup_view_ _cleanup_(view_close)

/* openat2 below the root, links followed inside. `path` is absolute for containers. The fd or
 * -errno. */
int view_open_path(const struct view *v, const char *path, int flags);
