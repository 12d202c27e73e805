#include "format/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/codec.h"
#include "format/frames.h"

#define BLOCK_SIZE   (1u << 20)
#define NS           1000000000
#define LEFT_LIMIT   (64u << 20)
#define SOCKET_XATTR "firn.type"
#define SOCKET_VALUE "socket"

static const char zeros[1u << 16];

void tar_entry_clear(struct tar_entry *e)
{
    for (size_t i = 0; i < e->xattr_count; i++) {
        free(e->xattrs[i].name);
        free(e->xattrs[i].value);
    }
    free(e->xattrs);
    free(e->extents);
    free(e->path);
    free(e->link);
    *e = (struct tar_entry){0};
}

void tar_entry_add_xattr(struct tar_entry *e, const char *name, const void *value, size_t size)
{
    array_reserve(e->xattrs, e->xattr_count, e->xattr_room);
    e->xattrs[e->xattr_count++] = (struct tar_xattr){
        .name = xstrdup(name),
        .value = xmemdup(value, size),
        .size = size,
    };
}

void tar_entry_add_extent(struct tar_entry *e, uint64_t offset, uint64_t size)
{
    array_reserve(e->extents, e->extent_count, e->extent_room);
    e->extents[e->extent_count++] = (struct tar_extent){offset, size};
}

/* libarchive converts names between UTF-8 and the charset of the locale. Names are bytes to us,
 * which is what a UTF-8 locale amounts to; firn itself stays in the C locale. */
static locale_t names_locale(void)
{
    return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static void locale_leave(const locale_t *old)
{
    uselocale(*old);
}
#define LOCALE_SCOPE(l)                                                                            \
    _cleanup_(locale_leave) __attribute__((unused)) locale_t scope_locale_ = uselocale(l)

struct tar_reader {
    struct archive *archive;
    locale_t locale;
    char *what;
    tar_read_fn read;
    void *context;
    int fd;
    int code; /* errno of a failed read */
    bool began, complete, truncated;
    char *buffer;
    size_t head;           /* bytes in the buffer that were read to see what it is */
    struct frames *frames; /* zstd, which all cores expand; libarchive does the others */
    struct tar_entry entry;
};

static int read_failed(struct tar_reader *r, struct error *err)
{
    const char *reason = archive_error_string(r->archive);
    if (r->code && !(r->frames && r->code == EBADMSG))
        return error_errno(err, r->code, "cannot read %s", r->what);
    if (!reason)
        reason = "the archive is damaged";
    /* Before the first header nothing but garbage gives an error. */
    if (!r->began && strstr(reason, "Unrecognized"))
        return error_set(err, EINVAL, "%s is not a tar archive", r->what);
    if (!r->truncated && !strcasestr(reason, "truncated"))
        return error_set(err, EBADMSG, "%s is damaged: %s", r->what, reason);
    if (r->entry.path)
        return error_set(err, EBADMSG, "%s ends in the middle of %.200s: the file is truncated",
                         r->what, r->entry.path);
    return error_set(err, EBADMSG, "%s ends too early: the file is truncated", r->what);
}

static ssize_t read_some(void *context, void *data, size_t size)
{
    struct tar_reader *r = context;
    size_t n = r->head < size ? r->head : size;
    if (!n)
        return r->read(r->context, data, size);
    memmove(data, r->buffer, n);
    r->head -= n;
    memmove(r->buffer, r->buffer + n, r->head);
    return (ssize_t)n;
}

static ssize_t give_bytes(struct archive *a, void *context, const void **ret)
{
    struct tar_reader *r = context;
    size_t size = 0;
    *ret = r->buffer;
    ssize_t n =
        r->frames ? frames_next(r->frames, ret, &size) : read_some(r, r->buffer, BLOCK_SIZE);
    if (n >= 0)
        return r->frames ? (ssize_t)size : n;
    r->truncated = r->frames && n == -ENODATA;
    r->code = r->truncated ? 0 : (int)-n;
    archive_set_error(a, (int)-n, "its compressed data cannot be expanded");
    return -1;
}

static ssize_t read_fd(void *context, void *data, size_t size)
{
    const struct tar_reader *r = context;
    ssize_t n;
    do
        n = read(r->fd, data, size);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static struct tar_reader *reader_new(const char *what)
{
    struct tar_reader *r = xcalloc(1, sizeof(*r));
    r->locale = names_locale();
    r->what = xstrdup(what);
    r->buffer = xmalloc(BLOCK_SIZE);
    r->archive = archive_read_new();
    archive_read_support_filter_gzip(r->archive);
    archive_read_support_filter_bzip2(r->archive);
    archive_read_support_filter_xz(r->archive);
    archive_read_support_format_tar(r->archive);
    return r;
}

static int detect_zstd(struct tar_reader *r, struct error *err)
{
    ssize_t n = 1;
    while (n > 0 && r->head < CODEC_MAGIC_SIZE) {
        n = r->read(r->context, r->buffer + r->head, BLOCK_SIZE - r->head);
        r->head += n > 0 ? (size_t)n : 0;
    }
    if (n < 0)
        return error_errno(err, (int)-n, "cannot read %s", r->what);
    if (r->head < CODEC_MAGIC_SIZE || !codec_is_zstd(r->buffer))
        return 0;
    return frames_open(read_some, r, &r->frames, err);
}

static int reader_start(struct tar_reader *new, struct tar_reader **ret, struct error *err)
{
    _cleanup_(tar_reader_freep) struct tar_reader *r = new;
    LOCALE_SCOPE(r->locale);
    int n = detect_zstd(r, err);
    if (n < 0)
        return n;
    if (archive_read_open(r->archive, r, NULL, give_bytes, NULL) != ARCHIVE_OK)
        return read_failed(r, err);
    *ret = take_ptr(r);
    return 0;
}

int tar_reader_open_fd(int fd, const char *what, struct tar_reader **ret, struct error *err)
{
    struct tar_reader *r = reader_new(what);
    r->fd = fd;
    r->read = read_fd;
    r->context = r;
    return reader_start(r, ret, err);
}

int tar_reader_open(tar_read_fn read, void *context, const char *what, struct tar_reader **ret,
                    struct error *err)
{
    struct tar_reader *r = reader_new(what);
    r->read = read;
    r->context = context;
    return reader_start(r, ret, err);
}

static void take_xattrs(struct tar_entry *e, struct archive_entry *from)
{
    const char *name;
    const void *value;
    size_t size;
    archive_entry_xattr_reset(from);
    while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
        if (string_equal(name, SOCKET_XATTR))
            e->mode = (e->mode & ~(mode_t)S_IFMT) | S_IFSOCK;
        else if (name)
            tar_entry_add_xattr(e, name, value, size);
    }
}

static const char *first_of(const char *a, const char *b)
{
    return a ? a : b;
}

static int take_entry(struct tar_reader *r, struct archive_entry *from, struct error *err)
{
    struct tar_entry *e = &r->entry;
    const char *path = first_of(archive_entry_pathname(from), archive_entry_pathname_utf8(from));
    const char *hard = first_of(archive_entry_hardlink(from), archive_entry_hardlink_utf8(from));
    const char *soft = first_of(archive_entry_symlink(from), archive_entry_symlink_utf8(from));
    if (!path)
        return error_set(err, EINVAL, "%s is damaged: an entry has no readable name", r->what);
    e->path = xstrdup(path);
    e->hard_link = hard != NULL;
    e->mode = archive_entry_mode(from);
    e->link = xstrdup_null(hard ? hard : soft);
    e->uid = (uid_t)archive_entry_uid(from);
    e->gid = (gid_t)archive_entry_gid(from);
    e->mtime_ns = (int64_t)archive_entry_mtime(from) * NS + archive_entry_mtime_nsec(from);
    e->rdev = archive_entry_rdev(from);
    take_xattrs(e, from);
    if (S_ISLNK(e->mode) && !e->hard_link && !e->link)
        return error_set(err, EINVAL, "%s is damaged: link %s has no target", r->what, e->path);
    if (S_ISREG(e->mode) && archive_entry_size_is_set(from) && archive_entry_size(from) > 0)
        e->size = (uint64_t)archive_entry_size(from);
    return 0;
}

int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret, struct error *err)
{
    LOCALE_SCOPE(r->locale);
    struct archive_entry *from;
    if (r->began && archive_read_data_skip(r->archive) < ARCHIVE_WARN)
        return read_failed(r, err);
    tar_entry_clear(&r->entry);
    int64_t position = archive_filter_bytes(r->archive, 0);
    int n;
    do
        n = archive_read_next_header(r->archive, &from);
    while (n == ARCHIVE_RETRY);
    if (n == ARCHIVE_EOF) {
        r->complete = archive_filter_bytes(r->archive, 0) > position;
        return 0;
    }
    if (n < ARCHIVE_WARN)
        return read_failed(r, err);
    r->began = true;
    n = take_entry(r, from, err);
    if (n < 0)
        return n;
    *ret = &r->entry;
    return 1;
}

int tar_reader_data(struct tar_reader *r, struct tar_block *ret, struct error *err)
{
    LOCALE_SCOPE(r->locale);
    const void *data;
    size_t size = 0;
    la_int64_t offset = 0;
    while (size == 0) {
        int n = archive_read_data_block(r->archive, &data, &size, &offset);
        if (n == ARCHIVE_EOF)
            return 0;
        if (n < ARCHIVE_WARN || offset < 0)
            return read_failed(r, err);
    }
    *ret = (struct tar_block){.data = data, .size = size, .offset = (uint64_t)offset};
    return 1;
}

bool tar_reader_complete(const struct tar_reader *r)
{
    return r->complete;
}

void tar_reader_free(struct tar_reader *r)
{
    archive_read_free(r->archive);
    if (r->frames)
        frames_free(r->frames);
    tar_entry_clear(&r->entry);
    if (r->locale)
        freelocale(r->locale);
    free(r->buffer);
    free(r->what);
    free(r);
}

struct tar_writer {
    struct archive *archive;
    struct archive_entry *entry;
    locale_t locale;
    tar_write_fn write;
    void *context;
    int code; /* errno of a failed write */
    char *path;
    uint64_t left; /* of the data of this entry */
};

static int write_failed(struct tar_writer *w, struct error *err)
{
    if (w->code)
        return error_errno(err, w->code, "cannot write %s to the archive", w->path ? w->path : "");
    const char *reason = archive_error_string(w->archive);
    return error_set(err, EINVAL, "cannot put %s into the archive: %s", w->path ? w->path : "",
                     reason ? reason : "it cannot be represented");
}

/* A writer that failed stays failed, but libarchive is not told: it would lose memory then. */
static ssize_t take_bytes(struct archive *a, void *context, const void *data, size_t size)
{
    struct tar_writer *w = context;
    int r = w->code ? 0 : w->write(w->context, data, size);
    if (r < 0)
        w->code = -r;
    return (ssize_t)size;
}

static bool went_well(const struct tar_writer *w, int result)
{
    return result >= ARCHIVE_WARN && !w->code;
}

int tar_writer_open(tar_write_fn write, void *context, struct tar_writer **ret, struct error *err)
{
    _cleanup_(tar_writer_freep) struct tar_writer *w = xcalloc(1, sizeof(*w));
    w->locale = names_locale();
    w->write = write;
    w->context = context;
    w->archive = archive_write_new();
    w->entry = archive_entry_new();
    LOCALE_SCOPE(w->locale);
    archive_write_set_format_pax(w->archive);
    archive_write_set_format_option(w->archive, "pax", "xattrheader", "SCHILY");
    archive_write_set_bytes_per_block(w->archive, 0);
    if (!went_well(w, archive_write_open(w->archive, w, NULL, take_bytes, NULL)))
        return write_failed(w, err);
    *ret = take_ptr(w);
    return 0;
}

static void give_time(struct archive_entry *to, int64_t ns)
{
    int64_t sec = ns / NS, rest = ns % NS;
    if (rest < 0) {
        sec--;
        rest += NS;
    }
    archive_entry_set_mtime(to, sec, (long)rest);
}

static void give_details(struct archive_entry *to, const struct tar_entry *e)
{
    for (size_t i = 0; i < e->xattr_count; i++)
        archive_entry_xattr_add_entry(to, e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].size);
    if (S_ISSOCK(e->mode) && !e->hard_link)
        archive_entry_xattr_add_entry(to, SOCKET_XATTR, SOCKET_VALUE, strlen(SOCKET_VALUE));
    if (!e->sparse)
        return;
    for (size_t i = 0; i < e->extent_count; i++)
        archive_entry_sparse_add_entry(to, (la_int64_t)e->extents[i].offset,
                                       (la_int64_t)e->extents[i].size);
    /* An empty range at the end says that the rest, or all of it, is a hole. */
    archive_entry_sparse_add_entry(to, (la_int64_t)e->size, 0);
}

static void give_entry(struct archive_entry *to, const struct tar_entry *e)
{
    mode_t mode = S_ISSOCK(e->mode) || e->hard_link ? (e->mode & 07777) | S_IFREG : e->mode;
    archive_entry_clear(to);
    archive_entry_copy_pathname(to, e->path);
    archive_entry_set_mode(to, mode);
    archive_entry_set_uid(to, e->uid);
    archive_entry_set_gid(to, e->gid);
    give_time(to, e->mtime_ns);
    archive_entry_set_size(to, S_ISREG(e->mode) && !e->hard_link ? (la_int64_t)e->size : 0);
    if (e->hard_link)
        archive_entry_copy_hardlink(to, e->link);
    else if (S_ISLNK(e->mode))
        archive_entry_copy_symlink(to, e->link);
    if (S_ISCHR(e->mode) || S_ISBLK(e->mode)) {
        archive_entry_set_rdevmajor(to, major(e->rdev));
        archive_entry_set_rdevminor(to, minor(e->rdev));
    }
    if (!e->hard_link)
        give_details(to, e);
}

int tar_writer_data(struct tar_writer *w, const void *data, uint64_t size, struct error *err)
{
    LOCALE_SCOPE(w->locale);
    if (size > w->left)
        return error_set(err, EFBIG, "%s is larger than announced", w->path ? w->path : "it");
    while (size) {
        size_t step = data || size < sizeof(zeros) ? (size_t)size : sizeof(zeros);
        la_ssize_t n = archive_write_data(w->archive, data ? data : zeros, step);
        if (n < 0 || w->code)
            return write_failed(w, err);
        if (n == 0)
            return error_set(err, EIO, "cannot put %s into the archive", w->path);
        data = data ? (const char *)data + n : NULL;
        size -= (uint64_t)n;
        w->left -= (uint64_t)n;
    }
    return 0;
}

/* libarchive would fill up as well, but without the sparse map if no data came at all. */
static int finish_entry(struct tar_writer *w, struct error *err)
{
    return tar_writer_data(w, NULL, w->left, err);
}

int tar_writer_add(struct tar_writer *w, const struct tar_entry *e, struct error *err)
{
    LOCALE_SCOPE(w->locale);
    int r = finish_entry(w, err);
    if (r < 0)
        return r;
    free(w->path);
    w->path = xstrdup(e->path);
    give_entry(w->entry, e);
    w->left = S_ISREG(e->mode) && !e->hard_link ? e->size : 0;
    return went_well(w, archive_write_header(w->archive, w->entry)) ? 0 : write_failed(w, err);
}

int tar_writer_end(struct tar_writer *w, struct error *err)
{
    LOCALE_SCOPE(w->locale);
    int r = finish_entry(w, err);
    if (r < 0)
        return r;
    return went_well(w, archive_write_close(w->archive)) ? 0 : write_failed(w, err);
}

void tar_writer_free(struct tar_writer *w)
{
    /* Freeing closes, and closing writes: not through a context that may be gone, nor the zeros
     * for what is missing of a large file. */
    if (!w->code)
        w->code = ECANCELED;
    if (w->left > LEFT_LIMIT)
        archive_write_fail(w->archive);
    archive_write_free(w->archive);
    archive_entry_free(w->entry);
    if (w->locale)
        freelocale(w->locale);
    free(w->path);
    free(w);
}
