#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/alloc.h"

ssize_t read_full(int fd, void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, (char *)data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int write_full(int fd, const void *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data = (const char *)data + n;
        size -= (size_t)n;
    }
    return 0;
}

int pwrite_full(int fd, const void *data, size_t size, off_t offset)
{
    while (size) {
        ssize_t n = pwrite(fd, data, size, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data = (const char *)data + n;
        size -= (size_t)n;
        offset += n;
    }
    return 0;
}

int file_read_at(int dirfd, const char *path, size_t limit, struct buf *b, struct error *err)
{
    _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    if (!limit)
        limit = 64u << 20;
    for (;;) {
        size_t step = 16384;
        ssize_t n = read_full(fd, buf_reserve(b, step), step);
        if (n < 0)
            return error_errno(err, (int)-n, "cannot read %s", path);
        b->size += (size_t)n;
        b->data[b->size] = '\0';
        if (b->size > limit)
            return error_set(err, EFBIG, "%s is larger than the %zu bytes allowed", path, limit);
        if ((size_t)n < step)
            return 0;
    }
}

int file_read(const char *path, struct buf *b, struct error *err)
{
    return file_read_at(AT_FDCWD, path, 0, b, err);
}

int file_read_line(const char *path, char *line, size_t size)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read_full(fd, line, size - 1);
    if (n < 0)
        return (int)n;
    while (n && strchr(" \t\r\n", line[n - 1]))
        n--;
    line[n] = '\0';
    return 0;
}

static int write_aside(const char *aside, const void *data, size_t size, mode_t mode, bool sync)
{
    _cleanup_close_ int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    int r = write_full(fd, data, size);
    if (r < 0)
        return r;
    return sync && fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode, bool sync,
                      struct error *err)
{
    _cleanup_free_ char *aside = xasprintf("%s.%d.new", path, (int)getpid());
    int r = write_aside(aside, data, size, mode, sync);
    if (r == 0 && rename(aside, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(aside);
        return error_errno(err, -r, "cannot write %s", path);
    }
    return 0;
}

int file_write_existing(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return write_full(fd, text, strlen(text));
}

bool path_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

int mkdir_parents(const char *path, mode_t mode, struct error *err)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return 0;
    if (errno != ENOENT)
        return error_errno(err, errno, "cannot create directory %s", path);
    _cleanup_free_ char *parent = xstrdup(path);
    char *slash = strrchr(parent, '/');
    if (!slash || slash == parent)
        return error_errno(err, ENOENT, "cannot create directory %s", path);
    *slash = '\0';
    int r = mkdir_parents(parent, mode, err);
    if (r < 0)
        return r;
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot create directory %s", path);
    return 0;
}

static int remove_content_at(int dirfd, dev_t dev)
{
    DIR *opened = fdopendir(dirfd);
    if (!opened) {
        int code = errno;
        close(dirfd);
        return -code;
    }
    _cleanup_closedir_ DIR *dir = opened;
    int first = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd, e->d_name, 0) == 0 || errno == ENOENT)
            continue;
        int code = errno;
        int sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;
        if (sub < 0 || fstat(sub, &st) < 0 || st.st_dev != dev) {
            if (sub >= 0)
                close(sub);
            first = first ? first : -code;
            continue;
        }
        int r = remove_content_at(sub, dev);
        if (unlinkat(dirfd, e->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT && r == 0)
            r = -errno;
        first = first ? first : r;
    }
    return first;
}

int remove_content(const char *path, struct error *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "cannot empty %s", path);
    if (fstat(fd, &st) < 0) {
        int code = errno;
        close(fd);
        return error_errno(err, code, "cannot empty %s", path);
    }
    int r = remove_content_at(fd, st.st_dev);
    return r < 0 ? error_errno(err, -r, "cannot empty %s", path) : 0;
}

int remove_tree(const char *path, struct error *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    int r = remove_content(path, err);
    if (r < 0)
        return r;
    if (rmdir(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "cannot remove %s", path);
    return 0;
}

char *path_join(const char *a, const char *b)
{
    size_t n = strlen(a);
    while (n > 1 && a[n - 1] == '/')
        n--;
    while (*b == '/')
        b++;
    return xasprintf("%.*s%s%s", (int)n, a, n == 1 && a[0] == '/' ? "" : "/", b);
}

int open_in_root(int rootfd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (unsigned)flags | O_CLOEXEC,
        .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
    return fd < 0 ? -errno : fd;
}

static uint64_t tree_size_at(int dirfd)
{
    _cleanup_closedir_ DIR *dir = fdopendir(dirfd);
    uint64_t size = 0;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        int sub = S_ISDIR(st.st_mode)
                      ? openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                      : -1;
        size += S_ISDIR(st.st_mode) ? 0 : (uint64_t)st.st_size;
        size += sub >= 0 ? tree_size_at(sub) : 0;
    }
    return size;
}

uint64_t tree_size(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? 0 : tree_size_at(fd);
}
