#include "container/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/state.h"
#include "store/volume.h"

int view_open(struct container *c, struct view *ret, struct error *err)
{
    struct container_status s;
    struct view v = VIEW_INIT;
    v.c = c;
    int r = c ? container_status(c, &s, err) : 0;
    if (c && r == 0)
        v.runs = container_state_is_alive(s.state);
    if (v.runs) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/root", (int)s.init.pid);
        v.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (v.root < 0)
            r = error_errno(err, errno, "cannot look into container %s", c->name);
    } else if (c && r == 0) {
        r = rootfs_open(c, &v.rootfs, err);
        v.root = v.rootfs.fd;
    }
    if (r == 0)
        *ret = v;
    return r;
}

void view_close(struct view *v)
{
    if (v->runs && v->root >= 0)
        close(v->root);
    rootfs_close(&v->rootfs);
}

/* What of `path` is below the mount at `where`; NULL: it is not. */
static const char *below(const char *path, const char *where)
{
    const char *rest = where ? string_after(path, where) : NULL;
    return rest && (*rest == '/' || !*rest) ? rest : NULL;
}

/* The volume or directory of the host that would be mounted there. The longest one counts. */
static int open_mount(const struct view *v, const char *path, const char **ret_rest)
{
    const struct json *volumes = js_get(v->c->config, "namedVolumes");
    const struct json *mounts = js_path(v->c->config, "spec", "mounts", NULL);
    _cleanup_free_ char *source = NULL;
    size_t longest = 0;
    JSON_FOREACH(volumes, i)
    {
        const char *where = js_get_string(js_at(volumes, i), "dest");
        const char *rest = below(path, where);
        _cleanup_volume_ struct volume *volume = NULL;
        const char *name = js_get_string(js_at(volumes, i), "volumeName");
        if (!rest || strlen(where) <= longest ||
            volume_lookup(v->c->firn->store, name, &volume, NULL) < 0)
            continue;
        longest = strlen(where);
        free(source);
        source = path_join(volume->mountpoint, "");
        *ret_rest = rest;
    }
    JSON_FOREACH(mounts, i)
    {
        const struct json *m = js_at(mounts, i);
        const char *where = js_get_string(m, "destination"), *from = js_get_string(m, "source");
        const char *rest = below(path, where);
        if (!rest || !from || *from != '/' || strlen(where) <= longest)
            continue;
        longest = strlen(where);
        free(source);
        source = path_join(from, "");
        *ret_rest = rest;
    }
    if (!source)
        return -ENOENT;
    int fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int view_open_path(const struct view *v, const char *path, int flags)
{
    if (!v->c) {
        int fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    const char *rest = path;
    _cleanup_close_ int mount = v->runs ? -1 : open_mount(v, path, &rest);
    if (mount >= 0)
        return open_in_root(mount, *rest ? rest : "/", flags, 0);
    return open_in_root(v->root, path, flags, 0);
}
