#include "store/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/fuse-overlayfs.h"
#include "store/layer.h"

/* sys/mount.h and linux/mount.h exclude each other in some C libraries. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
          const void *data);
int umount2(const char *target, int flags);
#define MS_RDONLY_        1
#define UMOUNT_DETACH_    2
#define UMOUNT_NOFOLLOW_  8
#define FSCONFIG_TEXT_MAX 255
#define MOUNT_DATA_MAX    4095

/* Both mount interfaces limit the length of texts, so directories are named by descriptors. */
struct directories {
    int *fds;
    size_t count;
};

static void directories_close(struct directories *d)
{
    for (size_t i = 0; i < d->count; i++)
        close(d->fds[i]);
    free(d->fds);
}

static int directories_open(char *const *paths, struct directories *ret, struct error *err)
{
    ret->fds = xcalloc(strv_length(paths) + 1, sizeof(int));
    STRV_FOREACH(path, paths)
    {
        int fd = open(*path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
            return error_errno(err, errno, "cannot open directory %s", *path);
        ret->fds[ret->count++] = fd;
    }
    return 0;
}

static bool is_mount_root(const char *path)
{
    struct statx st;
    return statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, 0, &st) == 0 &&
           st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int set_text(int fs, const char *key, const char *value)
{
    return syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? -errno : 0;
}

/* By its real name where that fits: mountinfo shows it to people. */
static int set_directory(int fs, const char *key, const char *path, int fd)
{
    if (strlen(path) <= FSCONFIG_TEXT_MAX)
        return set_text(fs, key, path);
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return set_text(fs, key, link);
}

static int configure(int fs, const struct overlay *o, const struct directories *layers,
                     const struct directories *own)
{
    int r = set_text(fs, "source", "overlay");
    for (size_t i = layers->count; r == 0 && i > 0; i--)
        r = set_directory(fs, "lowerdir+", o->layers[i - 1], layers->fds[i - 1]);
    if (r == 0 && o->upper)
        r = set_directory(fs, "upperdir", o->upper, own->fds[0]);
    if (r == 0 && o->upper)
        r = set_directory(fs, "workdir", o->work, own->fds[1]);
    if (r == 0 && o->userxattr)
        r = syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0 ? -errno : 0;
    if (r == 0 && o->upper && o->disposable)
        syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0);
    /* What these leave in the upper directory means nothing elsewhere. Defaults differ. */
    if (r == 0 && !o->userxattr && o->upper) {
        set_text(fs, "redirect_dir", "off");
        set_text(fs, "metacopy", "off");
        set_text(fs, "index", "off");
    }
    if (r == 0)
        r = syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
    return r;
}

/* fsopen(2) and its family, with one call per layer ("lowerdir+", Linux 6.8). */
static int mount_new(const struct overlay *o, const struct directories *layers,
                     const struct directories *own)
{
    _cleanup_close_ int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    if (fs < 0)
        return -errno;
    int r = configure(fs, o, layers, own);
    if (r < 0)
        return r;
    unsigned attributes = o->upper ? 0 : MOUNT_ATTR_RDONLY;
    _cleanup_close_ int tree = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
    if (tree < 0)
        return -errno;
    return syscall(SYS_move_mount, tree, "", AT_FDCWD, o->merged, MOVE_MOUNT_F_EMPTY_PATH) < 0
               ? -errno
               : 0;
}

/* mount(2): one text of a page at most, which descriptors keep short (240 layers). */
static int mount_old(const struct overlay *o, const struct directories *layers,
                     const struct directories *own)
{
    _cleanup_buf_ struct buf data = {0};
    buf_add_string(&data, "lowerdir=");
    for (size_t i = layers->count; i > 0; i--)
        buf_printf(&data, "%s/proc/self/fd/%d", i < layers->count ? ":" : "", layers->fds[i - 1]);
    if (o->upper)
        buf_printf(&data, ",upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", own->fds[0],
                   own->fds[1]);
    if (o->userxattr)
        buf_add_string(&data, ",userxattr");
    else if (o->upper)
        buf_add_string(&data, ",redirect_dir=off,metacopy=off,index=off");
    if (data.size > MOUNT_DATA_MAX)
        return -E2BIG;
    return mount("overlay", o->merged, "overlay", o->upper ? 0 : MS_RDONLY_, data.data) < 0 ? -errno
                                                                                            : 0;
}

static int explain(const struct overlay *o, int code, struct error *err)
{
    const char *hint = "";
    if (code == EPERM && o->userxattr)
        hint = " (overlay mounts by ordinary users need Linux 5.11 or later)";
    if (code == EPERM && !o->userxattr)
        hint = " (CAP_SYS_ADMIN is needed)";
    if (code == ENODEV)
        hint = " (the kernel has no overlayfs: modprobe overlay)";
    if (code == EINVAL && o->upper)
        hint = " (the file system of the store may not be fit as upper layer: it needs d_type and "
               "extended attributes, and must not be an overlay itself)";
    if (code == E2BIG)
        hint = " (this kernel takes some 240 layers at most)";
    char text[128];
    return error_set(err, code, "cannot mount an overlay at %s: %s%s", o->merged,
                     errno_text(code, text, sizeof(text)), hint);
}

/* Where the kernel refuses an ordinary user, for the reason in `err`. */
static int mount_otherwise(const struct overlay *o, struct error *err)
{
    struct error why = {0};
    int r = fuse_overlayfs_mount(o, &why);
    if (r >= 0 || !err)
        return r;
    _cleanup_free_ char *refusal = xstrdup(err->text);
    return error_set(err, err->code, "%s; %s", refusal, why.text);
}

static int mount_by_kernel(const struct overlay *o, struct error *err)
{
    _cleanup_(directories_close) struct directories layers = {0}, own = {0};
    char *upper_and_work[] = {(char *)o->upper, (char *)o->work, NULL};
    int r = directories_open(o->layers, &layers, err);
    if (r >= 0)
        r = directories_open(upper_and_work, &own, err);
    if (r < 0)
        return r;
    r = mount_new(o, &layers, &own);
    if (r < 0)
        r = mount_old(o, &layers, &own);
    return r < 0 ? explain(o, -r, err) : 0;
}

int overlay_mount(const struct overlay *o, struct error *err)
{
    if (is_mount_root(o->merged))
        return 0;
    if (!o->upper && strv_length(o->layers) < 2)
        return error_set(err, EINVAL, "cannot mount an overlay at %s: a single read-only layer",
                         o->merged);
    if (o->upper && fuse_overlayfs_made(o->upper)) /* the kernel would not know its marks */
        return fuse_overlayfs_mount(o, err);
    int r = mount_by_kernel(o, err);
    return r < 0 && o->userxattr ? mount_otherwise(o, err) : r;
}

int overlay_probe(struct store *s, struct error *err)
{
    static const char *const names[] = {"lower", "upper", "work", "merged"};
    _cleanup_temp_dir_ char *dir = NULL;
    char *paths[ARRAY_LEN(names)] = {NULL};
    int r = store_temp_dir(s, "probe", &dir, err);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(names); i++) {
        paths[i] = path_join(dir, names[i]);
        r = mkdir_parents(paths[i], 0700, err);
    }
    char *layers[] = {paths[0], NULL};
    struct overlay o = {.layers = layers,
                        .upper = paths[1],
                        .work = paths[2],
                        .merged = paths[3],
                        .userxattr = s->rootless};
    if (r == 0)
        r = mount_by_kernel(&o, err);
    if (r == 0)
        r = overlay_unmount(o.merged, err);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        free(paths[i]);
    return r;
}

int overlay_unmount(const char *merged, struct error *err)
{
    while (is_mount_root(merged)) {
        if (umount2(merged, UMOUNT_NOFOLLOW_) == 0)
            continue;
        if (errno == EBUSY && umount2(merged, UMOUNT_DETACH_ | UMOUNT_NOFOLLOW_) == 0)
            continue;
        if (errno != EINVAL)
            return error_errno(err, errno, "cannot unmount %s", merged);
        return 0;
    }
    return 0;
}

/* mountinfo writes blank, tab, newline and backslash as octal numbers. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; s++) {
        unsigned code;
        if (*s == '\\' && sscanf(s + 1, "%3o", &code) == 1) {
            *to++ = (char)code;
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

int overlay_mount_count(const char *merged)
{
    if (!is_mount_root(merged))
        return 0;
    _cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
    _cleanup_free_ char *line = NULL, *point = NULL;
    size_t room = 0;
    int count = 0;
    while (f && getline(&line, &room, f) >= 0) {
        free(take_ptr(point));
        if (sscanf(line, "%*d %*d %*s %*s %ms", &point) != 1)
            continue;
        unescape(point);
        count += string_equal(point, merged);
    }
    return count;
}

static int ensure_directory(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return errno == ENOENT ? mkdir_parents(path, 0700, err)
                           : error_errno(err, errno, "cannot create directory %s", path);
}

/* Made aside, so that one with the wrong owner is never seen. The root of a container looks like
 * that of its image. */
static int ensure_upper(const char *path, const char *like, struct error *err)
{
    if (path_exists(path))
        return 0;
    _cleanup_free_ char *aside = xasprintf("%s.new", path);
    struct stat st;
    if (stat(like, &st) < 0)
        return error_errno(err, errno, "layer %s is missing", like);
    if (mkdir(aside, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot create directory %s", aside);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    if (chown(aside, st.st_uid, st.st_gid) < 0 && errno != EPERM)
        return error_errno(err, errno, "cannot change the owner of %s", aside);
    if (chmod(aside, st.st_mode & 07777) < 0 || utimensat(AT_FDCWD, aside, times, 0) < 0)
        return error_errno(err, errno, "cannot prepare %s", aside);
    if (rename(aside, path) < 0)
        return error_errno(err, errno, "cannot rename %s", aside);
    return 0;
}

static int container_layers(struct store *s, const char *image_id, char ***ret, struct error *err)
{
    _cleanup_strv_ char **chains = NULL, **dirs = NULL;
    int r = database_strings(s->db, &chains, err,
                             "SELECT chain_id FROM image_layers WHERE image_id = ? "
                             "ORDER BY position",
                             "s", image_id);
    if (r < 0)
        return r;
    STRV_FOREACH(chain, chains)
    strv_take(&dirs, layer_path(s, *chain));
    if (!dirs) {
        _cleanup_free_ char *empty = store_path(s, "layers/empty/diff");
        r = mkdir_parents(empty, 0755, err);
        if (r < 0)
            return r;
        strv_add(&dirs, empty);
    }
    *ret = take_ptr(dirs);
    return 0;
}

int overlay_container_layers(struct store *s, const char *image_id, char ***ret, struct error *err)
{
    if (image_id && *image_id) {
        int64_t known = 0;
        int r = database_number(s->db, 0, &known, err, "SELECT 1 FROM images WHERE id = ?", "s",
                                image_id);
        if (r < 0)
            return r;
        if (!known)
            return error_kind_set(err, ERROR_NOT_FOUND, "%s: image not known", image_id);
    }
    return container_layers(s, image_id, ret, err);
}

int overlay_mount_container(struct store *s, const char *container_id, const char *image_id,
                            bool disposable, char **ret_merged, struct error *err)
{
    _cleanup_free_ char *dir = store_container_dir(s, container_id);
    _cleanup_free_ char *upper = path_join(dir, "upper"), *work = path_join(dir, "work");
    _cleanup_free_ char *merged = path_join(dir, "merged");
    _cleanup_strv_ char **layers = NULL;
    if (!is_mount_root(merged)) {
        int r = overlay_container_layers(s, image_id, &layers, err);
        if (r >= 0)
            r = ensure_directory(work, err);
        if (r >= 0 && disposable)
            r = remove_content(work, err); /* the mark of an earlier volatile mount */
        if (r >= 0)
            r = ensure_directory(merged, err);
        if (r >= 0)
            r = ensure_upper(upper, layers[strv_length(layers) - 1], err);
        if (r >= 0)
            r = overlay_mount(&(struct overlay){.layers = layers,
                                                .upper = upper,
                                                .work = work,
                                                .merged = merged,
                                                .disposable = disposable,
                                                .userxattr = s->rootless},
                              err);
        if (r < 0)
            return r;
    }
    if (ret_merged)
        *ret_merged = take_ptr(merged);
    return 0;
}

int overlay_unmount_container(struct store *s, const char *container_id, struct error *err)
{
    _cleanup_free_ char *dir = store_container_dir(s, container_id);
    _cleanup_free_ char *merged = path_join(dir, "merged");
    return overlay_unmount(merged, err);
}
