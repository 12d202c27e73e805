/* Tars made and looked at in tests.
 *
 *     struct maker m = maker_new();
 *     maker_add(&m, "dir/", S_IFDIR | 0755, NULL, NULL);
 *     maker_add(&m, "file", S_IFREG | 0644, NULL, "content");
 *     int fd = maker_done(&m);                                // a memfd, at its start
 */
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "format/tar.h"
#include "test.h"

struct maker {
    int fd;
    struct tar_writer *w;
};

static inline int write_to_fd(void *context, const void *data, size_t size)
{
    return write_full(*(int *)context, data, size);
}

static inline struct maker *maker_new(void)
{
    struct maker *m = xcalloc(1, sizeof(*m));
    struct error err = {0};
    m->fd = memfd_create("tar", MFD_CLOEXEC);
    CHECK(m->fd >= 0);
    CHECK_INT(tar_writer_open(write_to_fd, &m->fd, &m->w, &err), 0);
    return m;
}

static inline void maker_entry(struct maker *m, const struct tar_entry *e, const char *content)
{
    struct error err = {0};
    CHECK_INT(tar_writer_add(m->w, e, &err), 0);
    if (content)
        CHECK_INT(tar_writer_data(m->w, content, strlen(content), &err), 0);
}

static inline void maker_add(struct maker *m, const char *path, mode_t mode, const char *link,
                             const char *content)
{
    struct tar_entry e = {
        .path = (char *)path,
        .mode = mode,
        .link = (char *)link,
        .hard_link = link && !S_ISLNK(mode),
        .size = content ? strlen(content) : 0,
        .uid = getuid(),
        .gid = getgid(),
        .mtime_ns = 1700000000123456789,
    };
    maker_entry(m, &e, content);
}

static inline int maker_done(struct maker *m)
{
    struct error err = {0};
    CHECK_INT(tar_writer_end(m->w, &err), 0);
    tar_writer_free(m->w);
    int fd = m->fd;
    free(m);
    CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* The first `size` bytes of a file, in a new one. */
static inline int cut_at(int fd, off_t size)
{
    int cut = memfd_create("cut", MFD_CLOEXEC);
    _cleanup_free_ char *data = xmalloc((size_t)size + 1);
    CHECK_INT(pread(fd, data, (size_t)size, 0), size);
    CHECK_INT(write_full(cut, data, (size_t)size), 0);
    CHECK_INT(lseek(cut, 0, SEEK_SET), 0);
    return cut;
}

static inline int open_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static inline void write_file(int dirfd, const char *name, const void *data, size_t size)
{
    _cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_INT(write_full(fd, data, size), 0);
}

static inline struct stat stat_of(int dirfd, const char *name)
{
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        test_failed(__FILE__, __LINE__, "there is no %s", name);
    return st;
}

static inline char *content_of(int dirfd, const char *name)
{
    struct buf b = {0};
    CHECK_INT(file_read_at(dirfd, name, 0, &b, NULL), 0);
    return buf_take(&b);
}
