#include "container/rootfs.h"

#include <errno.h>
#include <fcntl.h>

#include "container/bundle.h"
#include "container/mount.h"
#include "container/state.h"

int rootfs_open(struct container *c, struct rootfs *ret, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    bool mounted = bundle_is_mounted(locked);
    r = bundle_mount(c, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *path = container_path(c, "merged");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open the root file system of container %s", c->id);
    *ret = (struct rootfs){.c = c, .fd = fd, .mounted = !mounted};
    return 0;
}

void rootfs_close(struct rootfs *r)
{
    struct container_status s;
    if (!r->c)
        return;
    close(r->fd);
    if (!r->mounted || container_lock(r->c, NULL) < 0)
        return;
    /* Started, or mounted for good, meanwhile? */
    if (container_status(r->c, &s, NULL) == 0 && !s.init.pid && !mount_is_wanted(r->c))
        bundle_unmount(r->c, NULL);
    container_unlock(r->c);
}
