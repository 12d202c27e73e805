#include "container/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/bundle.h"
#include "container/firn.h"
#include "container/network.h"
#include "format/unpack.h"
#include "store/image.h"
#include "store/overlay.h"
#include "store/rootfs-diff.h"
#include "store/volume.h"

int snapshot_prepare(struct snapshot *s, struct error *err)
{
    return overlay_container_layers(s->c->firn->store, container_image_id(s->c), &s->layers, err);
}

void snapshot_clear(struct snapshot *s)
{
    strv_free(s->layers);
    s->layers = NULL;
}

/* ---- description ---- */

/* config.dump: the container's config, with what other tools want to see in it. */
static int write_config(const struct snapshot *s, struct target *t, struct error *err)
{
    _cleanup_json_ struct json *config = js_copy(s->c->config);
    _cleanup_image_ struct image *image = NULL;
    if (image_by_id(s->c->firn->store, container_image_id(s->c), &image, NULL) == 0)
        js_set(config, "firnImageDigest", js_string(image->digest));
    _cleanup_free_ char *text = js_dump(config, 2);
    return target_add_string(t, "config.dump", text, err);
}

static int write_spec(const struct snapshot *s, struct target *t, struct error *err)
{
    _cleanup_json_ struct json *spec = NULL;
    int r = bundle_spec(s->c, &spec, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = js_dump(spec, 2);
    return target_add_string(t, "spec.dump", text, err);
}

static int write_network(const struct snapshot *s, struct target *t, struct error *err)
{
    _cleanup_json_ struct json *status = network_status(s->c);
    _cleanup_free_ char *text = js_dump(status, 0);
    return target_add_string(t, "network.status", text, err);
}

static int write_log(const struct snapshot *s, struct target *t, struct error *err)
{
    _cleanup_free_ char *path = container_log_path(s->c);
    return path ? target_add_file(t, "ctr.log", path, err) : 0;
}

/* ---- files ---- */

static int write_shm(const struct snapshot *s, struct target *t, struct error *err)
{
    _cleanup_free_ char *path = container_path(s->c, "shm");
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open %s", path);
    const struct pack_options o = {.flags = PACK_ROOT};
    return target_add_tree(t, "devshm-checkpoint.tar", fd, &o, err);
}

static int write_deleted(const struct snapshot *s, struct target *t, const char *upper,
                         struct error *err)
{
    _cleanup_changes_ struct changes changes = {0};
    int r = rootfs_diff_find(upper, s->layers, s->c->firn->store->rootless, &changes, err);
    if (r < 0)
        return r;
    _cleanup_strv_ char **deleted = rootfs_diff_deleted(&changes, NULL);
    if (!strv_length(deleted))
        return 0;
    _cleanup_json_ struct json *list = js_strings(deleted);
    _cleanup_free_ char *text = js_dump(list, 0);
    return target_add_string(t, "deleted.files", text, err);
}

/* The empty files and directories that mounts stand on belong to the layer: were they left out, the
 * runtime would make them again and change the times of their directories. */
static int write_rootfs(const struct snapshot *s, struct target *t, struct error *err)
{
    _cleanup_free_ char *upper = container_path(s->c, "upper");
    _cleanup_close_ int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", upper);
    _cleanup_(pack_freep) struct pack *p = NULL;
    int r = rootfs_diff_pack(fd, NULL, &p, err);
    if (r == 0 && pack_entries(p))
        r = target_add_pack(t, "rootfs-diff.tar", p, err);
    return r < 0 ? r : write_deleted(s, t, upper, err);
}

static int write_volumes(const struct snapshot *s, struct target *t, struct error *err)
{
    const struct json *volumes = js_get(s->c->config, "namedVolumes");
    if (!js_count(volumes))
        return 0;
    int r = target_add_directory(t, "volumes", 0700, err);
    for (size_t i = 0; r == 0 && i < js_count(volumes); i++) {
        const char *name = js_get_string(js_at(volumes, i), "volumeName");
        _cleanup_free_ char *path = store_path(s->c->firn->store, "volumes/%s/_data", name);
        _cleanup_free_ char *entry = xasprintf("volumes/%s.tar", name);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const struct pack_options o = {.flags = PACK_ROOT};
        r = fd < 0 ? error_errno(err, errno, "cannot open %s", path)
                   : target_add_tree(t, entry, fd, &o, err);
    }
    return r;
}

static bool is_kept_tmpfs(const struct json *mount)
{
    const char *where = js_get_string(mount, "destination");
    return string_equal(js_get_string(mount, "type"), "tmpfs") && where &&
           strcmp(where, "/sys/fs/cgroup") != 0;
}

/* Of /dev only what programs have put there: devices, links and mounts are the runtime's. */
static enum pack_verdict own_in_dev(void *context, const char *path, const struct stat *st,
                                    struct tar_entry *e)
{
    static const char *const standard[] = {"fd",   "stdin", "stdout", "stderr",
                                           "core", "ptmx",  "console"};
    const dev_t *dev = context;
    bool skip = st->st_dev != *dev || S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
    for (size_t i = 0; i < ARRAY_LEN(standard); i++)
        skip = skip || strcmp(standard[i], path) == 0;
    return skip ? PACK_SKIP : PACK_TAKE;
}

static int write_one_tmpfs(struct target *t, int fd, const char *where, const char *name,
                           struct error *err)
{
    struct stat st;
    struct pack_options o = {.flags = PACK_ROOT};
    if (strcmp(where, "/dev") != 0)
        return target_add_tree(t, name, fd, &o, err);
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot look at %s", where);
    o.filter = own_in_dev;
    o.context = &st.st_dev;
    _cleanup_(pack_freep) struct pack *p = NULL;
    int r = pack_scan(fd, &o, &p, err);
    return r == 0 && pack_entries(p) > 1 ? target_add_pack(t, name, p, err) : r;
}

/* Seen through the container's root, since these mounts exist only in there. */
static int open_inside(pid_t init, const char *path)
{
    char root[64];
    snprintf(root, sizeof(root), "/proc/%d/root", init);
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : open_in_root(fd, path, O_RDONLY | O_DIRECTORY, 0);
}

static int write_tmpfs(const struct snapshot *s, struct target *t, struct error *err)
{
    _cleanup_json_ struct json *spec = NULL;
    int r = bundle_spec(s->c, &spec, err);
    const struct json *mounts = js_get(spec, "mounts");
    for (size_t i = 0; r == 0 && i < js_count(mounts); i++) {
        if (!is_kept_tmpfs(js_at(mounts, i)))
            continue;
        const char *where = js_get_string(js_at(mounts, i), "destination");
        _cleanup_close_ int fd = open_inside(s->init, where);
        _cleanup_free_ char *name = xasprintf("firn-tmpfs-%zu.tar", i);
        r = fd < 0 ? error_errno(err, -fd, "cannot open %s in container %s", where, s->c->name)
                   : write_one_tmpfs(t, fd, where, name, err);
    }
    return r;
}

int snapshot_write(const struct snapshot *s, struct target *t, struct error *err)
{
    int r = write_config(s, t, err);
    if (r == 0)
        r = write_spec(s, t, err);
    if (r == 0)
        r = write_network(s, t, err);
    if (r == 0)
        r = write_shm(s, t, err);
    if (r == 0)
        r = write_tmpfs(s, t, err);
    if (r == 0 && !s->options->ignore_rootfs)
        r = write_rootfs(s, t, err);
    if (r == 0 && !s->options->ignore_volumes && s->options->export_path)
        r = write_volumes(s, t, err);
    return r < 0 ? r : write_log(s, t, err);
}

/* ---- and back ---- */

int snapshot_reset_rootfs(struct container *c, struct error *err)
{
    _cleanup_free_ char *upper = container_path(c, "upper");
    _cleanup_free_ char *aside = container_path(c, "upper.old");
    int r = bundle_unmount(c, err);
    if (r == 0 && rename(upper, aside) < 0 && errno != ENOENT)
        r = error_errno(err, errno, "cannot put %s aside", upper);
    return r;
}

int snapshot_keep_rootfs(struct container *c, struct error *err)
{
    _cleanup_free_ char *aside = container_path(c, "upper.old");
    return remove_tree(aside, err);
}

int snapshot_revert_rootfs(struct container *c, struct error *err)
{
    _cleanup_free_ char *upper = container_path(c, "upper");
    _cleanup_free_ char *aside = container_path(c, "upper.old");
    if (!path_exists(aside))
        return 0;
    int r = bundle_unmount(c, err);
    if (r == 0)
        r = remove_tree(upper, err);
    if (r == 0 && rename(aside, upper) < 0)
        r = error_errno(err, errno, "cannot put %s back", upper);
    return r;
}

static int open_tar(int dirfd, const char *name, struct error *err)
{
    int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0           ? fd
           : errno == ENOENT ? -ENOENT
                             : error_errno(err, errno, "cannot open %s of the checkpoint", name);
}

static int read_deleted(int dirfd, char ***ret, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    if (faccessat(dirfd, "deleted.files", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int r = file_read_at(dirfd, "deleted.files", 0, &text, err);
    _cleanup_json_ struct json *list = NULL;
    if (r == 0)
        r = js_parse(text.data, text.size, "deleted.files of the checkpoint", &list, err);
    for (size_t i = 0; r == 0 && i < js_count(list); i++)
        if (js_is_string(js_at(list, i)))
            strv_add(ret, js_text(js_at(list, i)));
    return r;
}

int snapshot_apply_rootfs(struct container *c, int dirfd, struct error *err)
{
    _cleanup_free_ char *merged = container_path(c, "merged");
    _cleanup_strv_ char **deleted = NULL;
    int r = read_deleted(dirfd, &deleted, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open_tar(dirfd, "rootfs-diff.tar", err);
    if (fd < 0 && fd != -ENOENT)
        return fd;
    _cleanup_(tar_reader_freep) struct tar_reader *tar = NULL;
    if (fd >= 0 && (r = tar_reader_open_fd(fd, "rootfs-diff.tar", &tar, err)) < 0)
        return r;
    return rootfs_diff_apply(merged, tar, deleted, err);
}

static int unpack_into(int dirfd, const char *name, int to, struct error *err)
{
    _cleanup_close_ int fd = open_tar(dirfd, name, err);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    const struct unpack_options o = {.flags = UNPACK_SKIP_DEVICES};
    return unpack_fd(fd, name, to, &o, NULL, err);
}

int snapshot_apply_shm(struct container *c, int dirfd, struct error *err)
{
    _cleanup_free_ char *path = container_path(c, "shm");
    _cleanup_close_ int to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open %s", path);
    return unpack_into(dirfd, "devshm-checkpoint.tar", to, err);
}

int snapshot_apply_tmpfs(struct container *c, int dirfd, pid_t init, const struct json *spec,
                         struct error *err)
{
    const struct json *mounts = js_get(spec, "mounts");
    int r = 0;
    for (size_t i = 0; r == 0 && i < js_count(mounts); i++) {
        const char *where = js_get_string(js_at(mounts, i), "destination");
        _cleanup_free_ char *name = xasprintf("firn-tmpfs-%zu.tar", i);
        if (!is_kept_tmpfs(js_at(mounts, i)) ||
            faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        _cleanup_close_ int to = open_inside(init, where);
        r = to < 0 ? error_errno(err, -to, "cannot open %s in container %s", where, c->name)
                   : unpack_into(dirfd, name, to, err);
    }
    return r;
}

int snapshot_apply_volume(int dirfd, const char *name, const char *mountpoint, struct error *err)
{
    _cleanup_free_ char *entry = xasprintf("volumes/%s.tar", name);
    _cleanup_close_ int to = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0)
        return error_errno(err, errno, "cannot open %s", mountpoint);
    return unpack_into(dirfd, entry, to, err);
}
