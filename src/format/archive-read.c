#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/archive.h"
#include "format/tar.h"

#define FOREIGN         "not a checkpoint made by firn or Podman"
#define DEFAULT_ENTRIES 1000000
#define NAME_LIMIT      512

/* What a checkpoint may have. A name that ends in "/" stands for the directory and the plain files
 * directly in it, one that ends in "*" for all names that begin so. */
static const char *const layout[] = {
    "config.dump",   "spec.dump",   "network.status",        "ctr.log",
    "stats-dump",    "dump.log",    "checkpoint/",           "volumes/",
    "artifacts/",    "bind.mounts", "devshm-checkpoint.tar", "rootfs-diff.tar",
    "deleted.files", "firn-*",
};

/* What Podman may write and firn cannot read. */
static const struct {
    const char *name, *reason;
} refused[] = {
    {"pre-checkpoint", "it is a pre-checkpoint (made with --pre-checkpoint), which firn does not "
                       "restore"},
    {"checkpoint/parent", "it builds on a pre-checkpoint (made with --with-previous), which firn "
                          "does not restore"},
};

/* Without these nothing can be restored. */
static const char *const needed[] = {"config.dump", "spec.dump", "checkpoint/inventory.img"};

struct extract {
    const char *archive;
    struct tar_reader *reader;
    int dirfd;
    struct archive_policy policy;
    uint64_t entries, size;
    bool found[ARRAY_LEN(needed)];
};

static int foreign_entry(const struct extract *x, const char *name, const char *what,
                         struct error *err)
{
    return error_set(err, EINVAL, "archive %s: entry \"%.200s\" %s; " FOREIGN, x->archive, name,
                     what);
}

/* Without "./" before and "/" after; "" for the root. */
static int clean_name(const struct extract *x, const char *name, char **ret, struct error *err)
{
    const char *rest = name;
    while (string_starts(rest, "./"))
        rest += 2;
    if (string_equal(rest, "."))
        rest = "";
    _cleanup_free_ char *clean = xstrdup(rest);
    for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--)
        clean[n - 1] = '\0';
    if (strlen(clean) > NAME_LIMIT)
        return foreign_entry(x, name, "has a name that is too long", err);
    if (clean[0] == '/')
        return foreign_entry(x, name, "points outside", err);
    _cleanup_strv_ char **parts = strv_split(clean, '/');
    STRV_FOREACH(part, parts)
    {
        if (string_equal(*part, ".."))
            return foreign_entry(x, name, "points outside", err);
        if (*clean && (!**part || string_equal(*part, ".")))
            return foreign_entry(x, name, "has an unusual name", err);
    }
    *ret = take_ptr(clean);
    return 0;
}

static bool fits(const char *pattern, const char *name, bool directory)
{
    size_t n = strlen(pattern);
    if (pattern[n - 1] == '*')
        return !directory && strncmp(name, pattern, n - 1) == 0 && !strchr(name, '/');
    if (pattern[n - 1] != '/')
        return !directory && string_equal(name, pattern);
    if (directory)
        return strlen(name) == n - 1 && strncmp(name, pattern, n - 1) == 0;
    return strncmp(name, pattern, n) == 0 && !strchr(name + n, '/');
}

static bool in_layout(const char *name, bool directory)
{
    for (size_t i = 0; i < ARRAY_LEN(layout); i++)
        if (fits(layout[i], name, directory))
            return true;
    return false;
}

static int check_refused(const struct extract *x, const char *name, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        const char *rest = string_after(name, refused[i].name);
        if (rest && (!*rest || *rest == '/'))
            return error_set(err, EOPNOTSUPP, "archive %s cannot be restored: %s", x->archive,
                             refused[i].reason);
    }
    return 0;
}

static const char *type_name(const struct tar_entry *e)
{
    if (e->hard_link)
        return "is a hard link";
    if (S_ISLNK(e->mode))
        return "is a symbolic link";
    return S_ISREG(e->mode) || S_ISDIR(e->mode) ? NULL : "is a special file";
}

static int check_size(const struct extract *x, const struct tar_entry *e, struct error *err)
{
    struct statvfs vfs;
    if (x->policy.max_size && e->size > x->policy.max_size - x->size)
        return error_set(
            err, EFBIG, "archive %s is larger than the %" PRIu64 " bytes allowed: entry \"%.200s\"",
            x->archive, x->policy.max_size, e->path);
    if (fstatvfs(x->dirfd, &vfs) < 0)
        return error_errno(err, errno, "cannot tell the free space for archive %s", x->archive);
    uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    if (e->size > free_bytes)
        return error_set(err, ENOSPC,
                         "archive %s: entry \"%.200s\" has %" PRIu64 " bytes, but only %" PRIu64
                         " are free at the destination",
                         x->archive, e->path, e->size, free_bytes);
    return 0;
}

static int make_directory(const struct extract *x, const char *name, struct error *err)
{
    if (mkdirat(x->dirfd, name, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot create %s from archive %s", name, x->archive);
    return 0;
}

static int write_data(struct extract *x, int fd, const struct tar_entry *e, struct error *err)
{
    struct tar_block b;
    uint64_t end = 0;
    int r;
    while ((r = tar_reader_data(x->reader, &b, err)) > 0) {
        if (b.offset > e->size || b.size > e->size - b.offset)
            return foreign_entry(x, e->path, "has more data than it says", err);
        int n = pwrite_full(fd, b.data, b.size, (off_t)b.offset);
        if (n < 0)
            return error_errno(err, -n, "cannot write %.200s from archive %s", e->path, x->archive);
        end = b.offset + b.size;
    }
    if (r == 0 && end < e->size && ftruncate(fd, (off_t)e->size) < 0)
        return error_errno(err, errno, "cannot write %.200s from archive %s", e->path, x->archive);
    return r;
}

static int extract_file(struct extract *x, const char *name, const struct tar_entry *e,
                        struct error *err)
{
    const char *slash = strchr(name, '/');
    if (slash) {
        _cleanup_free_ char *dir = xstrndup(name, (size_t)(slash - name));
        int r = make_directory(x, dir, err);
        if (r < 0)
            return r;
    }
    int r = check_size(x, e, err);
    if (r < 0)
        return r;
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    _cleanup_close_ int fd = openat(x->dirfd, name, flags, 0600);
    if (fd < 0 && errno == EEXIST)
        return foreign_entry(x, e->path, "is there twice", err);
    if (fd < 0)
        return error_errno(err, errno, "cannot create %s from archive %s", name, x->archive);
    x->size += e->size;
    return write_data(x, fd, e, err);
}

static void note_needed(struct extract *x, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (string_equal(name, needed[i]))
            x->found[i] = true;
}

static int extract_entry(struct extract *x, const struct tar_entry *e, struct error *err)
{
    _cleanup_free_ char *name = NULL;
    if (++x->entries > x->policy.max_entries)
        return error_set(err, E2BIG, "archive %s has more than %" PRIu64 " entries; " FOREIGN,
                         x->archive, x->policy.max_entries);
    int r = clean_name(x, e->path, &name, err);
    if (r == 0)
        r = check_refused(x, name, err);
    if (r < 0)
        return r;
    const char *odd = type_name(e);
    if (odd)
        return foreign_entry(x, e->path, odd, err);
    if (!*name || !in_layout(name, S_ISDIR(e->mode)))
        return 0;
    if (S_ISDIR(e->mode))
        return make_directory(x, name, err);
    note_needed(x, name);
    return extract_file(x, name, e, err);
}

static int check_end(const struct extract *x, struct error *err)
{
    if (!x->entries)
        return error_set(err, EINVAL, "%s is not a checkpoint archive: it has no entries",
                         x->archive);
    if (!tar_reader_complete(x->reader))
        return error_set(err, EBADMSG,
                         "%s ends without the end mark of a tar: the file is truncated",
                         x->archive);
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!x->found[i])
            return error_set(err, EINVAL, "%s is not a checkpoint archive: it has no %s",
                             x->archive, needed[i]);
    return 0;
}

static int not_a_tar(int fd, const char *name, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        return error_set(err, EINVAL, "%s is not a checkpoint archive: the file is empty", name);
    return error_set(err, EINVAL,
                     "%s is not a checkpoint archive: it is no tar, nor a compressed one", name);
}

int archive_extract_fd(int fd, const char *name, int dirfd, const struct archive_policy *policy,
                       struct error *err)
{
    _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
    struct extract x = {.archive = name, .dirfd = dirfd};
    const struct tar_entry *e;
    if (policy)
        x.policy = *policy;
    if (!x.policy.max_entries)
        x.policy.max_entries = DEFAULT_ENTRIES;
    int n = tar_reader_open_fd(fd, name, &r, err);
    x.reader = r;
    if (n == 0)
        n = tar_reader_next(r, &e, err);
    if (n == -EINVAL)
        return not_a_tar(fd, name, err);
    while (n > 0) {
        n = extract_entry(&x, e, err);
        if (n == 0)
            n = tar_reader_next(r, &e, err);
    }
    return n < 0 ? n : check_end(&x, err);
}

int archive_extract(const char *path, int dirfd, const struct archive_policy *policy,
                    struct error *err)
{
    if (string_equal(path, "-"))
        return archive_extract_fd(STDIN_FILENO, "standard input", dirfd, policy, err);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot open checkpoint archive %s", path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "%s is not a checkpoint archive: it is a directory", path);
    return archive_extract_fd(fd, path, dirfd, policy, err);
}
