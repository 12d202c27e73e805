#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/archive.h"

#define COPY_SIZE (1u << 20)

struct archive_writer {
    char *path;  /* as the caller gave it, for errors */
    char *final; /* where it goes, links resolved; NULL when written directly */
    char *aside;
    int fd;
    bool sync;
    uint64_t size;
    int64_t time_ns;
    int code; /* errno of a failed write */
    struct compressor *compressor;
    struct tar_writer *tar;
    struct sink *sink;
};

/* The reason a write failed is known at the bottom; in between are libraries with their own words.
 */
static int write_failed(const struct archive_writer *a, struct error *err)
{
    if (a->code)
        return error_errno(err, a->code, "cannot write %s", a->path);
    return error_wrap(err, "cannot write %s", a->path);
}

static int to_file(void *context, const void *data, size_t size)
{
    struct archive_writer *a = context;
    int r = write_full(a->fd, data, size);
    if (r < 0)
        a->code = -r;
    else
        a->size += size;
    return r;
}

static int to_compressor(void *context, const void *data, size_t size)
{
    struct archive_writer *a = context;
    return compressor_write(a->compressor, data, size, NULL);
}

static int to_tar(void *context, const void *data, size_t size)
{
    struct archive_writer *a = context;
    return tar_writer_data(a->tar, data, size, NULL);
}

static int begin_entry(struct archive_writer *a, const char *name, mode_t mode, uint64_t size,
                       struct error *err)
{
    _cleanup_tar_entry_ struct tar_entry e = {
        .path = xstrdup(name),
        .mode = mode,
        .size = size,
        .mtime_ns = a->time_ns,
    };
    int r = tar_writer_add(a->tar, &e, err);
    return r < 0 ? write_failed(a, err) : 0;
}

static int add_data(struct archive_writer *a, const void *data, uint64_t size, struct error *err)
{
    int r = tar_writer_data(a->tar, data, size, err);
    return r < 0 ? write_failed(a, err) : 0;
}

static int entry_begin(void *context, const char *name, uint64_t size, mode_t mode,
                       struct error *err)
{
    return begin_entry(context, name, S_IFREG | mode, size, err);
}

static int entry_write(void *context, const void *data, size_t size, struct error *err)
{
    return add_data(context, data, size, err);
}

static int entry_end(void *context, struct error *err)
{
    return 0;
}

static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int open_direct(struct archive_writer *a, struct error *err)
{
    a->fd = string_equal(a->path, "-") ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                       : open(a->path, O_WRONLY | O_CLOEXEC);
    return a->fd < 0 ? error_errno(err, errno, "cannot open %s", a->path) : 0;
}

/* In the directory of the final file, so that a rename is enough. A link is written through. */
static int open_aside(struct archive_writer *a, mode_t mode, struct error *err)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), 0) < 0)
        return error_errno(err, errno, "no random numbers");
    struct stat st;
    if (stat(a->path, &st) == 0 && S_ISDIR(st.st_mode))
        return error_errno(err, EISDIR, "cannot create %s", a->path);
    char *resolved = realpath(a->path, NULL);
    a->final = resolved ? resolved : xstrdup(a->path);
    a->aside = xasprintf("%s.%08x", a->final, random);
    a->fd = open(a->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (a->fd < 0) {
        int code = errno;
        free(take_ptr(a->aside));
        return error_errno(err, code, "cannot create %s", a->path);
    }
    a->sync = true;
    return fchmod(a->fd, mode) < 0 ? error_errno(err, errno, "cannot set mode of %s", a->path) : 0;
}

int archive_writer_open(const char *path, enum compression compression, mode_t mode,
                        struct archive_writer **ret, struct error *err)
{
    static const struct sink_type type = {
        .begin = entry_begin, .write = entry_write, .end = entry_end};
    _cleanup_(archive_writer_freep) struct archive_writer *a = xcalloc(1, sizeof(*a));
    a->path = xstrdup(path);
    a->fd = -1;
    a->time_ns = now_ns();
    int r = string_equal(path, "-") || is_special(path) ? open_direct(a, err)
                                                        : open_aside(a, mode, err);
    if (r == 0)
        r = compressor_open(compression, 0, to_file, a, &a->compressor, err);
    if (r == 0)
        r = tar_writer_open(to_compressor, a, &a->tar, err);
    if (r < 0)
        return r;
    a->sink = sink_new(&type, a);
    *ret = take_ptr(a);
    return 0;
}

struct sink *archive_sink(struct archive_writer *a)
{
    return a->sink;
}

uint64_t archive_writer_size(const struct archive_writer *a)
{
    return a->size;
}

int archive_add_directory(struct archive_writer *a, const char *name, mode_t mode,
                          struct error *err)
{
    return begin_entry(a, name, S_IFDIR | mode, 0, err);
}

int archive_add_bytes(struct archive_writer *a, const char *name, mode_t mode, const void *data,
                      size_t size, struct error *err)
{
    int r = begin_entry(a, name, S_IFREG | mode, size, err);
    return r < 0 ? r : add_data(a, data, size, err);
}

int archive_add_file(struct archive_writer *a, const char *name, mode_t mode, int fd,
                     struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, errno, "cannot stat the file for %s", name);
    uint64_t left = (uint64_t)st.st_size, offset = 0;
    int r = begin_entry(a, name, S_IFREG | mode, left, err);
    _cleanup_free_ void *buffer = xmalloc(COPY_SIZE);
    while (r == 0 && left) {
        ssize_t n = pread(fd, buffer, left < COPY_SIZE ? (size_t)left : COPY_SIZE, (off_t)offset);
        if (n < 0 && errno != EINTR)
            return error_errno(err, errno, "cannot read the file for %s", name);
        if (n == 0) /* it became shorter */
            return add_data(a, NULL, left, err);
        if (n > 0) {
            r = add_data(a, buffer, (uint64_t)n, err);
            left -= (uint64_t)n;
            offset += (uint64_t)n;
        }
    }
    return r;
}

int archive_add_tree(struct archive_writer *a, const char *name, mode_t mode, const struct pack *p,
                     struct error *err)
{
    int r = begin_entry(a, name, S_IFREG | mode, pack_size(p), err);
    if (r < 0)
        return r;
    r = pack_write(p, to_tar, a, err);
    return r < 0 && a->code ? write_failed(a, err) : r;
}

static int sync_directory(const char *path)
{
    _cleanup_free_ char *dir = xstrdup(path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    _cleanup_close_ int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int finish_file(struct archive_writer *a, struct error *err)
{
    if (a->sync && fsync(a->fd) < 0)
        return error_errno(err, errno, "cannot write %s", a->path);
    if (close(take_fd(a->fd)) < 0)
        return error_errno(err, errno, "cannot write %s", a->path);
    if (!a->aside)
        return 0;
    if (rename(a->aside, a->final) < 0)
        return error_errno(err, errno, "cannot create %s", a->path);
    free(take_ptr(a->aside));
    int r = sync_directory(a->final);
    return r < 0 ? error_errno(err, -r, "cannot write the directory of %s", a->path) : 0;
}

int archive_writer_commit(struct archive_writer *a, struct error *err)
{
    int r = tar_writer_end(a->tar, err);
    if (r == 0)
        r = compressor_end(a->compressor, err);
    return r < 0 ? write_failed(a, err) : finish_file(a, err);
}

void archive_writer_free(struct archive_writer *a)
{
    if (a->sink)
        sink_free(a->sink);
    if (a->tar)
        tar_writer_free(a->tar);
    if (a->compressor)
        compressor_free(a->compressor);
    if (a->aside)
        unlink(a->aside);
    cleanup_close(&a->fd);
    free(a->aside);
    free(a->final);
    free(a->path);
    free(a);
}
