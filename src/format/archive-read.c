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

/* What may come after the pages of an archive that says they are last: nothing a restore needs. */
static const char *const late[] = {"stats-dump", "dump.log"};

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

struct archive_reader {
    char *archive;
    int fd, own_fd; /* -1: it is the caller's */
    struct tar_reader *tar;
    bool pages_last;
    const struct tar_entry *pages; /* the file of pages that comes next; NULL: none */
    bool begun;                    /* it was given out */
    uint64_t offset;               /* in it */
    int dirfd;
    struct archive_policy policy;
    uint64_t entries, size;
    bool found[ARRAY_LEN(needed)];
};

static int foreign_entry(const struct archive_reader *x, const char *name, const char *what,
                         struct error *err)
{
    return error_set(err, EINVAL, "archive %s: entry \"%.200s\" %s; " FOREIGN, x->archive, name,
                     what);
}

/* Without "./" before and "/" after; "" for the root. */
static int clean_name(const struct archive_reader *x, const char *name, char **ret,
                      struct error *err)
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

static int check_refused(const struct archive_reader *x, const char *name, struct error *err)
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

static int check_size(const struct archive_reader *x, const struct tar_entry *e, struct error *err)
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

static int make_directory(const struct archive_reader *x, const char *name, struct error *err)
{
    if (mkdirat(x->dirfd, name, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot create %s from archive %s", name, x->archive);
    return 0;
}

static int write_data(struct archive_reader *x, int fd, const struct tar_entry *e,
                      struct error *err)
{
    struct tar_block b;
    uint64_t end = 0;
    int r;
    while ((r = tar_reader_data(x->tar, &b, err)) > 0) {
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

static int extract_file(struct archive_reader *x, const char *name, const struct tar_entry *e,
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

static void note_needed(struct archive_reader *x, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (string_equal(name, needed[i]))
            x->found[i] = true;
}

/* The clean name of an entry that a checkpoint may have; "" for what is left out. */
static int check_entry(struct archive_reader *x, const struct tar_entry *e, char **ret,
                       struct error *err)
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
    if (!in_layout(name, S_ISDIR(e->mode)))
        *name = '\0';
    *ret = take_ptr(name);
    return 0;
}

static bool is_pages(const char *name)
{
    const char *number = string_after(name, "checkpoint/pages-");
    return number && *number >= '0' && *number <= '9';
}

/* 1 if it is the first of the pages that are to be read from the archive. */
static int extract_entry(struct archive_reader *x, const struct tar_entry *e, struct error *err)
{
    _cleanup_free_ char *name = NULL;
    int r = check_entry(x, e, &name, err);
    if (r < 0 || !*name)
        return r;
    if (S_ISDIR(e->mode))
        return make_directory(x, name, err);
    if (x->pages_last && is_pages(name)) {
        x->pages = e;
        return 1;
    }
    x->pages_last = x->pages_last || (x->entries == 1 && string_equal(name, ARCHIVE_PAGES_LAST));
    note_needed(x, name);
    return extract_file(x, name, e, err);
}

static int check_needed(const struct archive_reader *x, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!x->found[i])
            return error_set(err, EINVAL, "%s is not a checkpoint archive: it has no %s",
                             x->archive, needed[i]);
    return 0;
}

static int check_end(const struct archive_reader *x, struct error *err)
{
    if (!x->entries)
        return error_set(err, EINVAL, "%s is not a checkpoint archive: it has no entries",
                         x->archive);
    if (!tar_reader_complete(x->tar))
        return error_set(err, EBADMSG,
                         "%s ends without the end mark of a tar: the file is truncated",
                         x->archive);
    return check_needed(x, err);
}

static int not_a_tar(int fd, const char *name, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        return error_set(err, EINVAL, "%s is not a checkpoint archive: the file is empty", name);
    return error_set(err, EINVAL,
                     "%s is not a checkpoint archive: it is no tar, nor a compressed one", name);
}

/* ---- reading in one pass ---- */

static struct archive_reader *reader_new(const char *name, const struct archive_policy *policy)
{
    struct archive_reader *x = xcalloc(1, sizeof(*x));
    x->archive = xstrdup(name);
    x->own_fd = x->dirfd = -1;
    if (policy)
        x->policy = *policy;
    if (!x->policy.max_entries)
        x->policy.max_entries = DEFAULT_ENTRIES;
    return x;
}

static int reader_start(struct archive_reader *new, int fd, struct archive_reader **ret,
                        struct error *err)
{
    _cleanup_(archive_reader_freep) struct archive_reader *x = new;
    x->fd = fd;
    int n = tar_reader_open_fd(fd, x->archive, &x->tar, err);
    if (n < 0)
        return n == -EINVAL ? not_a_tar(fd, x->archive, err) : n;
    *ret = take_ptr(x);
    return 0;
}

int archive_reader_open_fd(int fd, const char *name, const struct archive_policy *policy,
                           struct archive_reader **ret, struct error *err)
{
    return reader_start(reader_new(name, policy), fd, ret, err);
}

int archive_reader_open(const char *path, const struct archive_policy *policy,
                        struct archive_reader **ret, struct error *err)
{
    if (string_equal(path, "-"))
        return archive_reader_open_fd(STDIN_FILENO, "standard input", policy, ret, err);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot open checkpoint archive %s", path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, EISDIR, "%s is not a checkpoint archive: it is a directory", path);
    struct archive_reader *x = reader_new(path, policy);
    x->own_fd = take_fd(fd);
    return reader_start(x, x->own_fd, ret, err);
}

int archive_reader_extract(struct archive_reader *x, int dirfd, struct error *err)
{
    x->dirfd = dirfd;
    const struct tar_entry *e;
    int n = tar_reader_next(x->tar, &e, err);
    if (n == -EINVAL && !x->entries)
        return not_a_tar(x->fd, x->archive, err);
    while (n > 0) {
        n = extract_entry(x, e, err);
        if (n > 0)
            return check_needed(x, err);
        if (n == 0)
            n = tar_reader_next(x->tar, &e, err);
    }
    return n < 0 ? n : check_end(x, err);
}

bool archive_reader_has_pages(const struct archive_reader *x)
{
    return x->pages;
}

static bool is_late(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(late); i++)
        if (string_equal(name, late[i]))
            return true;
    return false;
}

/* To the next file of pages; x->pages becomes NULL at the end. */
static int find_pages(struct archive_reader *x, struct error *err)
{
    const struct tar_entry *e;
    int n;
    x->pages = NULL;
    while ((n = tar_reader_next(x->tar, &e, err)) > 0) {
        _cleanup_free_ char *name = NULL;
        n = check_entry(x, e, &name, err);
        if (n < 0)
            return n;
        if (is_pages(name)) {
            x->pages = e;
            return 0;
        }
        if (*name && !is_late(name))
            return foreign_entry(x, e->path, "comes after the pages", err);
    }
    return n < 0 ? n : check_end(x, err);
}

int archive_reader_pages(struct archive_reader *x, uint32_t *number, uint64_t *size,
                         struct error *err)
{
    int n = x->begun ? find_pages(x, err) : 0;
    if (n < 0 || !x->pages)
        return n;
    unsigned parsed;
    x->begun = true;
    x->offset = 0;
    _cleanup_free_ char *name = NULL;
    n = clean_name(x, x->pages->path, &name, err);
    if (n < 0)
        return n;
    if (sscanf(name, "checkpoint/pages-%9u.img", &parsed) != 1)
        return foreign_entry(x, name, "has an unusual name", err);
    *number = parsed;
    *size = x->pages->size;
    return 1;
}

int archive_reader_data(struct archive_reader *x, const void **data, size_t *size,
                        struct error *err)
{
    struct tar_block b;
    int n = tar_reader_data(x->tar, &b, err);
    if (n < 0)
        return n;
    if (n > 0 ? b.offset != x->offset || b.size > x->pages->size - b.offset
              : x->offset != x->pages->size)
        return foreign_entry(x, x->pages->path, "has gaps", err);
    if (n == 0)
        return 0;
    x->offset += b.size;
    *data = b.data;
    *size = b.size;
    return 1;
}

void archive_reader_free(struct archive_reader *x)
{
    if (x->tar)
        tar_reader_free(x->tar);
    cleanup_close(&x->own_fd);
    free(x->archive);
    free(x);
}
