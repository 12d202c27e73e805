#include "format/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fault.h"
#include "base/io.h"

struct sink {
    const struct sink_type *type;
    void *context;
    char *name; /* of the file begun, else NULL */
    uint64_t left;
};

struct sink *sink_new(const struct sink_type *type, void *context)
{
    struct sink *s = xcalloc(1, sizeof(*s));
    s->type = type;
    s->context = context;
    return s;
}

void sink_free(struct sink *s)
{
    if (s->type->free)
        s->type->free(s->context);
    free(s->name);
    free(s);
}

int sink_begin(struct sink *s, const char *name, uint64_t size, mode_t mode, struct error *err)
{
    if (s->name)
        return error_set(err, EBUSY, "%s cannot be written before %s is complete", name, s->name);
    int r = s->type->begin(s->context, name, size, mode, err);
    if (r == 0)
        r = fault("sink", "begin", err);
    if (r < 0)
        return r;
    s->name = xstrdup(name);
    s->left = size;
    return 0;
}

static int take_size(struct sink *s, uint64_t size, struct error *err)
{
    if (!s->name)
        return error_set(err, EBADF, "no file was begun");
    if (size > s->left)
        return error_set(err, EFBIG, "%s would become larger than announced", s->name);
    s->left -= size;
    return 0;
}

int sink_write(struct sink *s, const void *data, size_t size, struct error *err)
{
    int r = take_size(s, size, err);
    if (r == 0)
        r = fault("sink", "write", err);
    return r < 0 ? r : s->type->write(s->context, data, size, err);
}

int sink_end(struct sink *s, struct error *err)
{
    if (!s->name)
        return error_set(err, EBADF, "no file was begun");
    _cleanup_free_ char *name = take_ptr(s->name);
    int r = s->type->end(s->context, err);
    if (r == 0 && s->left)
        return error_set(err, EIO, "%s lacks %llu bytes of its announced size", name,
                         (unsigned long long)s->left);
    return r;
}

int sink_put(struct sink *s, const char *name, const void *data, size_t size, struct error *err)
{
    int r = sink_begin(s, name, size, 0600, err);
    if (r == 0)
        r = sink_write(s, data, size, err);
    return r < 0 ? r : sink_end(s, err);
}

int sink_fd(const struct sink *s)
{
    return s->name && s->type->fd ? s->type->fd(s->context) : -1;
}

int sink_written(struct sink *s, uint64_t size, struct error *err)
{
    if (sink_fd(s) < 0)
        return error_set(err, EBADF, "no file that can be written directly was begun");
    int r = take_size(s, size, err);
    if (r == 0)
        r = fault("sink", "write", err);
    return r < 0 ? r : s->type->written(s->context, size, err);
}

struct directory {
    int dirfd, fd;
    char *name;
};

static int directory_begin(void *context, const char *name, uint64_t size, mode_t mode,
                           struct error *err)
{
    struct directory *d = context;
    if (unlinkat(d->dirfd, name, 0) < 0 && errno != ENOENT)
        return error_errno(err, errno, "cannot replace %s", name);
    d->fd = openat(d->dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (d->fd < 0)
        return error_errno(err, errno, "cannot create %s", name);
    free(d->name);
    d->name = xstrdup(name);
    if (fchmod(d->fd, mode) < 0)
        return error_errno(err, errno, "cannot set the mode of %s", name);
    return 0;
}

static int directory_write(void *context, const void *data, size_t size, struct error *err)
{
    const struct directory *d = context;
    int r = write_full(d->fd, data, size);
    return r < 0 ? error_errno(err, -r, "cannot write %s", d->name) : 0;
}

static int directory_end(void *context, struct error *err)
{
    struct directory *d = context;
    return close(take_fd(d->fd)) < 0 ? error_errno(err, errno, "cannot write %s", d->name) : 0;
}

static int directory_fd(const void *context)
{
    return ((const struct directory *)context)->fd;
}

static int directory_written(void *context, uint64_t size, struct error *err)
{
    const struct directory *d = context;
    if (lseek(d->fd, (off_t)size, SEEK_CUR) < 0)
        return error_errno(err, errno, "cannot write %s", d->name);
    return 0;
}

static void directory_free(void *context)
{
    struct directory *d = context;
    cleanup_close(&d->fd);
    free(d->name);
    free(d);
}

struct sink *sink_directory(int dirfd)
{
    static const struct sink_type type = {
        .begin = directory_begin,
        .write = directory_write,
        .end = directory_end,
        .fd = directory_fd,
        .written = directory_written,
        .free = directory_free,
    };
    struct directory *d = xcalloc(1, sizeof(*d));
    d->dirfd = dirfd;
    d->fd = -1;
    return sink_new(&type, d);
}

struct prefix {
    struct sink *inner;
    char *prefix;
};

static int prefix_begin(void *context, const char *name, uint64_t size, mode_t mode,
                        struct error *err)
{
    const struct prefix *p = context;
    _cleanup_free_ char *full = xasprintf("%s%s", p->prefix, name);
    return sink_begin(p->inner, full, size, mode, err);
}

static int prefix_write(void *context, const void *data, size_t size, struct error *err)
{
    return sink_write(((const struct prefix *)context)->inner, data, size, err);
}

static int prefix_end(void *context, struct error *err)
{
    return sink_end(((const struct prefix *)context)->inner, err);
}

static int prefix_fd(const void *context)
{
    return sink_fd(((const struct prefix *)context)->inner);
}

static int prefix_written(void *context, uint64_t size, struct error *err)
{
    return sink_written(((const struct prefix *)context)->inner, size, err);
}

static void prefix_free(void *context)
{
    struct prefix *p = context;
    free(p->prefix);
    free(p);
}

struct sink *sink_prefix(struct sink *inner, const char *prefix)
{
    static const struct sink_type type = {
        .begin = prefix_begin,
        .write = prefix_write,
        .end = prefix_end,
        .fd = prefix_fd,
        .written = prefix_written,
        .free = prefix_free,
    };
    struct prefix *p = xcalloc(1, sizeof(*p));
    p->inner = inner;
    p->prefix = xstrdup(prefix);
    return sink_new(&type, p);
}
