#include "container/export.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"
#include "container/event.h"
#include "container/rootfs.h"
#include "format/pack.h"

int container_export(struct container *c, tar_write_fn write, void *context, struct error *err)
{
    const struct pack_options o = {.flags = PACK_NO_OVERLAY_XATTRS};
    _cleanup_rootfs_ struct rootfs root = ROOTFS_INIT;
    int r = rootfs_open(c, &root, err);
    if (r == 0)
        r = pack_tree(root.fd, &o, write, context, err);
    if (r == 0)
        container_event(c, "export");
    return r;
}
