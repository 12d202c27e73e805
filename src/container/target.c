#include "container/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"

struct target {
    struct archive_writer *archive; /* or: */
    int dirfd;
    char *aside, *final;
    struct sink *directory_sink;
};

int target_archive(const char *path, enum compression compression, struct target **ret,
                   struct error *err)
{
    struct target *t = xcalloc(1, sizeof(*t));
    t->dirfd = -1;
    int r = archive_writer_open(path, compression, 0600, &t->archive, err);
    if (r == 0)
        r = archive_add_bytes(t->archive, ARCHIVE_PAGES_LAST, 0600, "", 0, err);
    if (r < 0) {
        target_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

int target_local(const char *path, struct target **ret, struct error *err)
{
    _cleanup_(target_freep) struct target *t = xcalloc(1, sizeof(*t));
    t->dirfd = -1;
    t->aside = xasprintf("%s.new", path);
    t->final = xstrdup(path);
    int r = remove_tree(t->aside, err);
    if (r < 0)
        return r;
    if (mkdir(t->aside, 0700) < 0)
        return error_errno(err, errno, "cannot create %s", t->aside);
    t->dirfd = open(t->aside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->dirfd < 0)
        return error_errno(err, errno, "cannot open %s", t->aside);
    t->directory_sink = sink_directory(t->dirfd);
    *ret = take_ptr(t);
    return 0;
}

int target_add_bytes(struct target *t, const char *name, const void *data, size_t size,
                     struct error *err)
{
    return t->archive ? archive_add_bytes(t->archive, name, 0600, data, size, err)
                      : sink_put(t->directory_sink, name, data, size, err);
}

int target_add_string(struct target *t, const char *name, const char *text, struct error *err)
{
    return target_add_bytes(t, name, text, strlen(text), err);
}

int target_add_directory(struct target *t, const char *name, mode_t mode, struct error *err)
{
    if (t->archive)
        return archive_add_directory(t->archive, name, mode, err);
    if (mkdirat(t->dirfd, name, mode) < 0)
        return error_errno(err, errno, "cannot create %s/%s", t->aside, name);
    return 0;
}

int target_add_file(struct target *t, const char *name, const char *path, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "cannot open %s", path);
    if (t->archive)
        return archive_add_file(t->archive, name, 0600, fd, err);
    return 0; /* a local checkpoint leaves the container's own files where they are */
}

static int write_to_sink(void *context, const void *data, size_t size)
{
    return sink_write(context, data, size, NULL);
}

int target_add_pack(struct target *t, const char *name, const struct pack *p, struct error *err)
{
    if (t->archive)
        return archive_add_tree(t->archive, name, 0600, p, err);
    int r = sink_begin(t->directory_sink, name, pack_size(p), 0600, err);
    if (r == 0)
        r = pack_write(p, write_to_sink, t->directory_sink, err);
    return r < 0 ? r : sink_end(t->directory_sink, err);
}

int target_add_tree(struct target *t, const char *name, int dirfd, const struct pack_options *o,
                    struct error *err)
{
    _cleanup_(pack_freep) struct pack *p = NULL;
    int r = pack_scan(dirfd, o, &p, err);
    return r < 0 ? r : target_add_pack(t, name, p, err);
}

struct sink *target_sink(struct target *t, const char *prefix)
{
    return sink_prefix(t->archive ? archive_sink(t->archive) : t->directory_sink, prefix);
}

/* What stands aside afterwards is the old one; target_free removes it, when nobody waits. */
static int replace(struct target *t, struct error *err)
{
    if (renameat2(AT_FDCWD, t->aside, AT_FDCWD, t->final, RENAME_EXCHANGE) == 0)
        return 0;
    if (errno != ENOENT || rename(t->aside, t->final) < 0)
        return error_errno(err, errno, "cannot put the checkpoint at %s", t->final);
    return 0;
}

int target_commit(struct target *t, struct error *err)
{
    return t->archive ? archive_writer_commit(t->archive, err) : replace(t, err);
}

void target_free(struct target *t)
{
    if (t->archive)
        archive_writer_free(t->archive);
    if (t->directory_sink)
        sink_free(t->directory_sink);
    if (t->dirfd >= 0)
        close(t->dirfd);
    if (t->aside)
        remove_tree(t->aside, NULL);
    free(t->aside);
    free(t->final);
    free(t);
}
