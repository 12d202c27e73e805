#include "format/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"

#define WHITEOUT        ".wh."
#define WHITEOUT_META   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* Modes and times of directories are set last: unpacking into them needs the one and changes the
 * other. */
struct late {
    char *path;
    size_t number; /* of the entry */
    mode_t mode;
    int64_t mtime_ns;
};

struct unpack {
    const struct unpack_options *options;
    struct tar_reader *reader;
    int root;
    size_t max_path;
    struct unpack_result result;
    struct late *late;
    size_t late_count, late_room;
    char *parent; /* the directory of the last entry, kept open: most follow in the same one */
    int parent_fd;
};

/* Where an entry goes: a name in an open directory. */
struct place {
    int dir;
    const char *name; /* "" for the root itself */
    const char *path;
};

static void forget_parent(struct unpack *u)
{
    cleanup_close(&u->parent_fd);
    u->parent_fd = -1;
    free(take_ptr(u->parent));
}

static void unpack_clear(struct unpack *u)
{
    forget_parent(u);
    for (size_t i = 0; i < u->late_count; i++)
        free(u->late[i].path);
    free(u->late);
}

/* "./a//b/" becomes "a/b", the root "". */
static int clean_path(const struct unpack *u, const char *path, char **ret, struct error *err)
{
    _cleanup_buf_ struct buf b = {0};
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 2 && strncmp(p, "..", 2) == 0)
            return error_set(err, EINVAL, "entry \"%.200s\" points outside", path);
        if (n > 0 && !(n == 1 && *p == '.')) {
            if (b.size)
                buf_add_char(&b, '/');
            buf_add(&b, p, n);
        }
        p += n + (p[n] == '/');
    }
    if (b.size > u->max_path)
        return error_set(err, ENAMETOOLONG,
                         "the path of entry \"%.200s...\" has %zu bytes, %zu "
                         "are allowed",
                         path, b.size, u->max_path);
    *ret = buf_take(&b);
    return 0;
}

/* Opens a directory below the root, making what is missing of it. */
static int open_parents(int root, const char *path)
{
    int fd = open_in_root(root, *path ? path : ".", O_PATH | O_DIRECTORY, 0);
    if (fd != -ENOENT || !*path)
        return fd;
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *above = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
    _cleanup_close_ int dir = open_parents(root, above);
    if (dir < 0)
        return dir;
    if (mkdirat(dir, slash ? slash + 1 : path, 0755) < 0)
        return errno == EEXIST ? -ENOENT : -errno; /* it is a link that leads nowhere */
    return open_in_root(root, path, O_PATH | O_DIRECTORY, 0);
}

static int find_place(struct unpack *u, const char *path, struct place *ret, struct error *err)
{
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
    if (!u->parent || strcmp(u->parent, parent) != 0) {
        int fd = open_parents(u->root, parent);
        if (fd < 0)
            return error_errno(err, -fd, "cannot open the directory of entry \"%.200s\"", path);
        forget_parent(u);
        u->parent_fd = fd;
        u->parent = take_ptr(parent);
    }
    *ret = (struct place){.dir = u->parent_fd, .name = slash ? slash + 1 : path, .path = path};
    return 0;
}

/* What stood here goes, so that the entry can be made anew. */
static int make_room(struct unpack *u, const struct place *p, struct error *err)
{
    _cleanup_free_ char *at = xasprintf("/proc/self/fd/%d/%s", p->dir, p->name);
    int r = remove_tree(at, err);
    return r < 0 ? error_wrap(err, "cannot replace \"%.200s\"", p->path) : 0;
}

static bool stat_place(const struct place *p, struct stat *st)
{
    return fstatat(p->dir, p->name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

static bool overlay_xattr(const char *name)
{
    return string_starts(name, "trusted.overlay.") || string_starts(name, "user.overlay.");
}

static int set_xattrs(struct unpack *u, const char *at, const struct tar_entry *e,
                      struct error *err)
{
    for (size_t i = 0; i < e->xattr_count; i++) {
        const struct tar_xattr *x = &e->xattrs[i];
        if (overlay_xattr(x->name) && !(u->options->flags & UNPACK_OVERLAY_XATTRS))
            continue;
        if (setxattr(at, x->name, x->value, x->size, 0) == 0)
            continue;
        if (errno != ENOTSUP && errno != EPERM)
            return error_errno(err, errno, "cannot set attribute %s of \"%.200s\"", x->name,
                               e->path);
        u->result.skipped_xattrs++;
    }
    return 0;
}

static struct timespec time_of(int64_t ns)
{
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    if (t.tv_nsec < 0) {
        t.tv_sec--;
        t.tv_nsec += 1000000000;
    }
    return t;
}

/* chown takes set-id bits and capabilities away: it is first. Attributes may need write
 * permission: the mode is after them. `fd` may be O_PATH. */
static int set_metadata(struct unpack *u, int fd, const struct tar_entry *e, struct error *err)
{
    char at[32];
    snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
    bool given = u->options->flags & UNPACK_OWNER;
    uid_t uid = given ? u->options->uid : e->uid;
    gid_t gid = given ? u->options->gid : e->gid;
    if (!(u->options->flags & UNPACK_NO_OWNER) && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
        return error_errno(err, errno, "cannot give \"%.200s\" to %u:%u%s", e->path, uid, gid,
                           errno == EINVAL ? " (not among this user's ids, see `firn check`)" : "");
    int r = set_xattrs(u, at, e, err);
    if (r < 0 || S_ISDIR(e->mode))
        return r;
    if (!S_ISLNK(e->mode) && chmod(at, e->mode & 07777) < 0)
        return error_errno(err, errno, "cannot set the mode of \"%.200s\"", e->path);
    return 0;
}

static int set_time(const struct place *p, const struct tar_entry *e, struct error *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_of(e->mtime_ns)};
    if (utimensat(p->dir, p->name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "cannot set the time of \"%.200s\"", e->path);
    return 0;
}

static int write_data(struct unpack *u, int fd, const struct tar_entry *e, struct error *err)
{
    struct tar_block b;
    uint64_t end = 0;
    int r;
    while ((r = tar_reader_data(u->reader, &b, err)) > 0) {
        u->result.size += b.size;
        if (u->options->max_size && u->result.size > u->options->max_size)
            return error_set(err, EFBIG, "the content is larger than the %llu bytes allowed",
                             (unsigned long long)u->options->max_size);
        if (b.offset > e->size || b.size > e->size - b.offset)
            return error_set(err, EINVAL, "entry \"%.200s\" has more data than it says", e->path);
        int n = pwrite_full(fd, b.data, b.size, (off_t)b.offset);
        if (n < 0)
            return error_errno(err, -n, "cannot write \"%.200s\"", e->path);
        end = b.offset + b.size;
    }
    if (r == 0 && end < e->size && ftruncate(fd, (off_t)e->size) < 0)
        return error_errno(err, errno, "cannot write \"%.200s\"", e->path);
    return r;
}

static int make_regular(struct unpack *u, const struct place *p, const struct tar_entry *e,
                        struct error *err)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_close_ int fd = openat(p->dir, p->name, flags, 0600);
    if (fd < 0)
        return error_errno(err, errno, "cannot create \"%.200s\"", e->path);
    int r = write_data(u, fd, e, err);
    if (r == 0)
        r = set_metadata(u, fd, e, err);
    return r < 0 ? r : set_time(p, e, err);
}

static int make_hard_link(struct unpack *u, const struct place *p, const struct tar_entry *e,
                          struct error *err)
{
    _cleanup_free_ char *target = NULL;
    int r = clean_path(u, e->link, &target, err);
    if (r < 0)
        return error_wrap(err, "the link target of \"%.200s\" is not usable", e->path);
    const char *slash = strrchr(target, '/');
    _cleanup_free_ char *above = slash ? xstrndup(target, (size_t)(slash - target)) : xstrdup(".");
    _cleanup_close_ int dir = open_in_root(u->root, above, O_PATH | O_DIRECTORY, 0);
    r = dir;
    if (r >= 0)
        r = linkat(dir, slash ? slash + 1 : target, p->dir, p->name, 0) < 0 ? -errno : 0;
    if (r < 0)
        return error_errno(err, -r, "cannot link \"%.200s\" to \"%.200s\"", e->path, target);
    return 0;
}

static int make_other(const struct place *p, const struct tar_entry *e)
{
    if (S_ISDIR(e->mode))
        return mkdirat(p->dir, p->name, 0700);
    if (S_ISLNK(e->mode))
        return symlinkat(e->link, p->dir, p->name);
    return mknodat(p->dir, p->name, (e->mode & S_IFMT) | 0600, e->rdev);
}

static int make_special(struct unpack *u, const struct place *p, const struct tar_entry *e,
                        struct error *err)
{
    if (make_other(p, e) < 0)
        return error_errno(err, errno, "cannot create \"%.200s\"", e->path);
    _cleanup_close_ int fd = openat(p->dir, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open \"%.200s\"", e->path);
    int r = set_metadata(u, fd, e, err);
    return r < 0 ? r : set_time(p, e, err);
}

static void finish_later(struct unpack *u, const char *path, const struct tar_entry *e)
{
    array_reserve(u->late, u->late_count, u->late_room);
    u->late[u->late_count] = (struct late){
        .path = xstrdup(path),
        .number = u->late_count,
        .mode = e->mode & 07777,
        .mtime_ns = e->mtime_ns,
    };
    u->late_count++;
}

static int set_opaque(const struct unpack *u, int fd, const char *path, struct error *err)
{
    char at[32];
    const char *name =
        u->options->flags & UNPACK_USER_OVERLAY ? "user.overlay.opaque" : "trusted.overlay.opaque";
    snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
    if (setxattr(at, name, "y", 1, 0) < 0)
        return error_errno(err, errno, "cannot make \"%.200s\" opaque", path);
    return 0;
}

static int open_dir(const struct place *p)
{
    const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(p->dir, *p->name ? p->name : ".", flags);
    return fd < 0 ? -errno : fd;
}

/* A directory that is there already only gets the entry's owner, mode and time. */
static int make_directory(struct unpack *u, const struct place *p, const struct tar_entry *e,
                          struct error *err)
{
    struct stat st;
    bool there = !*p->name || stat_place(p, &st), hidden = false;
    if (there && *p->name && !S_ISDIR(st.st_mode)) {
        hidden = u->options->flags & UNPACK_WHITEOUTS && is_whiteout(&st);
        int r = make_room(u, p, err);
        if (r < 0)
            return r;
        there = false;
    }
    if (!there && mkdirat(p->dir, p->name, 0700) < 0)
        return error_errno(err, errno, "cannot create \"%.200s\"", e->path);
    _cleanup_close_ int fd = open_dir(p);
    if (fd < 0)
        return error_errno(err, -fd, "cannot open \"%.200s\"", e->path);
    finish_later(u, p->path, e);
    int r = set_metadata(u, fd, e, err);
    return r == 0 && hidden ? set_opaque(u, fd, e->path, err) : r;
}

/* A whiteout hides what the layers below have, not what this layer brings itself. */
static int make_whiteout(struct unpack *u, const struct place *p, const struct tar_entry *e,
                         struct error *err)
{
    struct place hidden = *p;
    hidden.name = p->name + strlen(WHITEOUT);
    if (!*hidden.name || string_equal(hidden.name, ".") || string_equal(hidden.name, ".."))
        return error_set(err, EINVAL, "entry \"%.200s\" is no valid whiteout", e->path);
    struct stat st;
    if (!stat_place(&hidden, &st)) {
        if (mknodat(hidden.dir, hidden.name, S_IFCHR | 0600, makedev(0, 0)) < 0)
            return error_errno(err, errno, "cannot create whiteout \"%.200s\"", e->path);
        return 0;
    }
    if (!S_ISDIR(st.st_mode))
        return 0;
    _cleanup_close_ int fd = open_dir(&hidden);
    if (fd < 0)
        return error_errno(err, -fd, "cannot open \"%.200s\"", e->path);
    return set_opaque(u, fd, e->path, err);
}

static int make_device(struct unpack *u, const struct place *p, const struct tar_entry *e,
                       struct error *err)
{
    if (u->options->flags & UNPACK_REFUSE_DEVICES)
        return error_set(err, EPERM, "entry \"%.200s\" is a device, which is not allowed here",
                         e->path);
    if (u->options->flags & UNPACK_SKIP_DEVICES) {
        u->result.skipped_devices++;
        return 0;
    }
    return make_special(u, p, e, err);
}

static int make_entry(struct unpack *u, const struct place *p, const struct tar_entry *e,
                      struct error *err)
{
    if (u->options->flags & UNPACK_WHITEOUTS) {
        if (string_equal(p->name, WHITEOUT_OPAQUE))
            return set_opaque(u, p->dir, e->path, err);
        if (string_starts(p->name, WHITEOUT_META))
            return 0; /* bookkeeping of aufs */
        if (string_starts(p->name, WHITEOUT))
            return make_whiteout(u, p, e, err);
    }
    struct stat st;
    bool directory = S_ISDIR(e->mode) && !e->hard_link, there = *p->name && stat_place(p, &st);
    if (there && u->options->flags & UNPACK_KEEP_KIND && S_ISDIR(st.st_mode) != directory)
        return error_set(err, directory ? ENOTDIR : EISDIR,
                         directory ? "cannot overwrite non-directory \"%.200s\" with a directory"
                                   : "cannot overwrite directory \"%.200s\" with a non-directory",
                         e->path);
    if (directory)
        return make_directory(u, p, e, err);
    if (!*p->name)
        return error_set(err, EINVAL, "entry \"%.200s\" would replace the root", e->path);
    if (there) {
        int r = make_room(u, p, err);
        if (r < 0)
            return r;
    }
    if (e->hard_link)
        return make_hard_link(u, p, e, err);
    if (S_ISREG(e->mode))
        return make_regular(u, p, e, err);
    if (S_ISCHR(e->mode) || S_ISBLK(e->mode))
        return make_device(u, p, e, err);
    return make_special(u, p, e, err);
}

static int unpack_entry(struct unpack *u, const struct tar_entry *e, struct error *err)
{
    if (++u->result.entries > u->options->max_entries && u->options->max_entries)
        return error_set(err, E2BIG, "there are more than the %llu entries allowed",
                         (unsigned long long)u->options->max_entries);
    _cleanup_free_ char *path = NULL;
    struct place p = {.dir = -1, .name = ""};
    int r = clean_path(u, e->path, &path, err);
    if (r == 0)
        r = find_place(u, path, &p, err);
    return r < 0 ? r : make_entry(u, &p, e, err);
}

/* What is below comes before what is above; of two entries for one path the later one first. */
static int compare_late(const void *left, const void *right)
{
    const struct late *a = left, *b = right;
    int order = strcmp(b->path, a->path);
    return order ? order : (a->number < b->number) - (a->number > b->number);
}

static int finish_directory(const struct unpack *u, const struct late *l, struct error *err)
{
    _cleanup_close_ int fd =
        open_in_root(u->root, *l->path ? l->path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
        return 0; /* a later entry replaced it */
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_of(l->mtime_ns)};
    if (fd < 0 || fchmod(fd, l->mode) < 0 || futimens(fd, times) < 0)
        return error_errno(err, fd < 0 ? -fd : errno, "cannot finish directory \"%.200s\"",
                           l->path);
    return 0;
}

static int finish_directories(struct unpack *u, struct error *err)
{
    int r = 0;
    if (u->late_count)
        qsort(u->late, u->late_count, sizeof(*u->late), compare_late);
    for (size_t i = 0; r == 0 && i < u->late_count; i++)
        if (i == 0 || strcmp(u->late[i].path, u->late[i - 1].path) != 0)
            r = finish_directory(u, &u->late[i], err);
    return r;
}

int unpack_tar(struct tar_reader *r, int dirfd, const struct unpack_options *options,
               struct unpack_result *result, struct error *err)
{
    _cleanup_(unpack_clear) struct unpack u = {
        .options = options,
        .reader = r,
        .root = dirfd,
        .max_path = options->max_path ? options->max_path : PATH_MAX - 1,
        .parent_fd = -1,
    };
    const struct tar_entry *e;
    int n;
    while ((n = tar_reader_next(r, &e, err)) > 0) {
        n = unpack_entry(&u, e, err);
        if (n < 0)
            return n;
    }
    if (n == 0)
        n = finish_directories(&u, err);
    if (n == 0 && result)
        *result = u.result;
    return n;
}

int unpack_fd(int fd, const char *what, int dirfd, const struct unpack_options *options,
              struct unpack_result *result, struct error *err)
{
    _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
    int n = tar_reader_open_fd(fd, what, &r, err);
    return n < 0 ? n : unpack_tar(r, dirfd, options, result, err);
}
