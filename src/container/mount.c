#include "container/mount.h"

#include <errno.h>
#include <fcntl.h>

#include "base/alloc.h"
#include "base/io.h"
#include "container/bundle.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/state.h"

/* Kept where it does not outlive the mounts. */
static char *marker_path(const struct container *c)
{
    return xasprintf("%s/mounted/%s", c->firn->runroot, c->id);
}

bool mount_is_wanted(const struct container *c)
{
    _cleanup_free_ char *marker = marker_path(c);
    return path_exists(marker);
}

static int want(struct container *c, struct error *err)
{
    _cleanup_free_ char *directory = path_join(c->firn->runroot, "mounted");
    _cleanup_free_ char *marker = marker_path(c);
    int r = mkdir_parents(directory, 0700, err);
    return r < 0 ? r : file_write_atomic(marker, "", 0, 0600, false, err);
}

int container_mount(struct container *c, char **ret_path, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    r = want(locked, err);
    if (r == 0)
        r = bundle_mount(c, err);
    if (r < 0)
        return r;
    container_event(c, "mount");
    *ret_path = container_path(c, "merged");
    return 0;
}

int container_unmount(struct container *c, bool force, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    _cleanup_free_ char *marker = marker_path(locked);
    unlink(marker);
    struct container_status s;
    r = container_status(c, &s, err);
    if (r < 0 || container_state_is_alive(s.state) || s.state == CONTAINER_INITIALIZED)
        return r;
    r = bundle_unmount(c, err);
    if (r == 0)
        container_event(c, "unmount");
    return r;
}

char *container_mountpoint(const struct container *c)
{
    return bundle_is_mounted(c) ? container_path(c, "merged") : NULL;
}
