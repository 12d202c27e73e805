#include "container/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/files.h"
#include "container/firn.h"
#include "container/mount.h"
#include "container/network.h"
#include "container/spec.h"
#include "container/volumes.h"
#include "store/overlay.h"

static bool is_mount_point(const char *path)
{
    struct statx st;
    return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, 0, &st) == 0 &&
           st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

/* --- the root file system ------------------------------------------------------------------ */

bool bundle_is_mounted(const struct container *c)
{
    _cleanup_free_ char *merged = container_path(c, "merged");
    return is_mount_point(merged);
}

int bundle_mount(struct container *c, struct error *err)
{
    if (bundle_is_mounted(c))
        return 0;
    return overlay_mount_container(c->firn->store, c->id, container_image_id(c),
                                   container_auto_removes(c), NULL, err);
}

int bundle_unmount(struct container *c, struct error *err)
{
    if (!bundle_is_mounted(c))
        return 0;
    return overlay_unmount_container(c->firn->store, c->id, err);
}

/* --- /dev/shm ------------------------------------------------------------------------------ */

static int mount_shm(struct container *c, struct error *err)
{
    _cleanup_free_ char *path = container_path(c, "shm");
    if (string_equal(js_text(js_path(c->config, "firn", "ipc", NULL)), "host") ||
        is_mount_point(path))
        return 0;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot create %s", path);
    _cleanup_free_ char *options =
        xasprintf("mode=1777,size=%lld", (long long)js_get_int(c->config, "shmSize", 65536000));
    if (mount("shm", path, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, options) < 0)
        return error_errno(err, errno, "cannot mount the shared memory of container %s at %s",
                           c->id, path);
    return 0;
}

static int unmount_shm(struct container *c, struct error *err)
{
    _cleanup_free_ char *path = container_path(c, "shm");
    if (!is_mount_point(path) || umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    return error_errno(err, errno, "cannot unmount %s", path);
}

/* --- the working directory ----------------------------------------------------------------- */

/* Is the path on something that is mounted only inside? Then it cannot be looked at from here. */
static bool below_a_mount(const struct json *spec, const char *path)
{
    const struct json *mounts = js_get(spec, "mounts");
    JSON_FOREACH(mounts, i)
    {
        const char *target = js_get_string(js_at(mounts, i), "destination");
        size_t n = target ? strlen(target) : 0;
        if (n && strncmp(path, target, n) == 0 && (path[n] == '/' || !path[n]))
            return true;
    }
    return false;
}

/* mkdir -p below `rootfd`, where no link leads out. Returns the directory or -errno. */
static int make_directory(int rootfd, const char *path, uid_t uid, gid_t gid)
{
    _cleanup_free_ char *copy = xstrdup(path);
    _cleanup_close_ int parent = open_in_root(rootfd, "/", O_PATH | O_DIRECTORY, 0);
    for (size_t i = 1; parent >= 0 && copy[i - 1]; i++) {
        if (copy[i] && copy[i] != '/')
            continue;
        char kept = copy[i];
        copy[i] = '\0';
        int fd = open_in_root(rootfd, copy, O_PATH | O_DIRECTORY, 0);
        const char *name = strrchr(copy, '/') + 1;
        if (fd == -ENOENT && *name) {
            if (mkdirat(parent, name, 0755) < 0 ||
                fchownat(parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
            fd = open_in_root(rootfd, copy, O_PATH | O_DIRECTORY, 0);
        }
        if (fd < 0)
            return fd;
        close(parent);
        parent = fd;
        copy[i] = kept;
    }
    return take_fd(parent);
}

static int prepare_workdir(struct container *c, const struct json *spec, struct error *err)
{
    const char *cwd = js_text(js_path(spec, "process", "cwd", NULL));
    if (!cwd || *cwd != '/' || strcmp(cwd, "/") == 0 || below_a_mount(spec, cwd))
        return 0;
    _cleanup_free_ char *merged = container_path(c, "merged");
    _cleanup_close_ int root = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, errno, "cannot open %s", merged);
    const struct json *user = js_path(spec, "process", "user", NULL);
    bool create = js_get_bool(c->config, "createWorkingDir", false);
    _cleanup_close_ int fd = create ? make_directory(root, cwd, (uid_t)js_get_int(user, "uid", 0),
                                                     (gid_t)js_get_int(user, "gid", 0))
                                    : open_in_root(root, cwd, O_PATH | O_DIRECTORY, 0);
    if (fd >= 0)
        return 0;
    if (fd == -ENOENT)
        return error_kind_set(err, ERROR_CANNOT_INVOKE,
                              "workdir \"%s\" does not exist on container %s", cwd, c->id);
    if (fd == -ENOTDIR)
        return error_kind_set(err, ERROR_CANNOT_INVOKE,
                              "workdir \"%s\" on container %s is not a directory", cwd, c->id);
    error_errno(err, -fd, "creating container %s workdir \"%s\"", c->id, cwd);
    err->kind = ERROR_CANNOT_INVOKE;
    return fd;
}

/* --- all of it ----------------------------------------------------------------------------- */

static int write_spec(struct container *c, struct error *err)
{
    _cleanup_json_ struct json *spec = NULL;
    int r = spec_make(c, &spec, err);
    if (r == 0)
        r = prepare_workdir(c, spec, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *path = container_path(c, "config.json");
    r = js_write_file(path, spec, 0600, err);
    if (r < 0)
        return r;
    js_unref(c->spec);
    c->spec = take_ptr(spec);
    return 0;
}

int container_prepare(struct container *c, const struct network_wish *wish, struct error *err)
{
    cgroup_warm_up();
    int r = mkdir_parents(c->directory, 0700, err);
    if (r == 0)
        r = mkdir_parents(c->run_directory, 0700, err);
    if (r == 0)
        r = cgroup_prepare(c, err);
    if (r == 0)
        r = bundle_mount(c, err);
    if (r == 0)
        r = volumes_prepare(c, err);
    if (r == 0)
        r = mount_shm(c, err);
    if (r == 0)
        r = network_up(c, wish, err);
    if (r == 0)
        r = files_write(c, err);
    if (r == 0)
        r = write_spec(c, err);
    return r;
}

int bundle_teardown(struct container *c, struct error *err)
{
    int r = network_down(c, err);
    if (r == 0)
        r = unmount_shm(c, err);
    if (r < 0 || mount_is_wanted(c))
        return r;
    return bundle_unmount(c, err);
}

int bundle_spec(struct container *c, struct json **ret, struct error *err)
{
    if (c->spec) {
        *ret = js_copy(c->spec);
        return 0;
    }
    _cleanup_free_ char *path = container_path(c, "config.json");
    return js_parse_file(path, ret, err);
}
