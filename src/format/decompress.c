#include "format/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

#define READ_SIZE (128 << 10)

struct decompressor {
    struct archive *archive;
    char *what;
    const char *kind;
    /* The block libarchive lent us, as far as it is not given away yet. */
    const char *block;
    size_t left;
    bool end;
};

static const struct {
    int code;
    const char *name;
} kinds[] = {
    {ARCHIVE_FILTER_GZIP, "gzip"},
    {ARCHIVE_FILTER_BZIP2, "bzip2"},
    {ARCHIVE_FILTER_XZ, "xz"},
    {ARCHIVE_FILTER_ZSTD, "zstd"},
};

static int failed(struct decompressor *d, struct error *err)
{
    int code = archive_errno(d->archive);
    const char *text = archive_error_string(d->archive);
    return error_set(err, code > 0 ? code : EBADMSG, "cannot read %s: %s", d->what,
                     text ? text : "damaged");
}

static void configure(struct archive *a)
{
    archive_read_support_filter_gzip(a);
    archive_read_support_filter_bzip2(a);
    archive_read_support_filter_xz(a);
    archive_read_support_filter_zstd(a);
    archive_read_support_format_raw(a);
    archive_read_support_format_empty(a);
}

static const char *kind_of(struct archive *a)
{
    int code = archive_filter_code(a, 0);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].code == code)
            return kinds[i].name;
    return "none";
}

int decompressor_open_fd(int fd, const char *what, struct decompressor **ret, struct error *err)
{
    _cleanup_(decompressor_freep) struct decompressor *d = xcalloc(1, sizeof(*d));
    d->what = xstrdup(what);
    d->archive = archive_read_new();
    if (!d->archive)
        return error_set(err, ENOMEM, "cannot read %s", what);
    configure(d->archive);
    if (archive_read_open_fd(d->archive, fd, READ_SIZE) != ARCHIVE_OK)
        return failed(d, err);
    struct archive_entry *entry;
    int r = archive_read_next_header(d->archive, &entry);
    if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
        return failed(d, err);
    d->end = r == ARCHIVE_EOF;
    d->kind = kind_of(d->archive);
    *ret = take_ptr(d);
    return 0;
}

static int next_block(struct decompressor *d, struct error *err)
{
    const void *block;
    la_int64_t offset;
    int r = archive_read_data_block(d->archive, &block, &d->left, &offset);
    d->block = block;
    if (r == ARCHIVE_EOF)
        d->end = true, d->left = 0;
    return r == ARCHIVE_OK || r == ARCHIVE_EOF ? 0 : failed(d, err);
}

ssize_t decompressor_read(struct decompressor *d, void *data, size_t size, struct error *err)
{
    size_t done = 0;
    while (done < size && !d->end) {
        if (!d->left) {
            int r = next_block(d, err);
            if (r < 0)
                return r;
            continue;
        }
        size_t n = d->left < size - done ? d->left : size - done;
        memcpy((char *)data + done, d->block, n);
        done += n, d->block += n, d->left -= n;
    }
    return (ssize_t)done;
}

const char *decompressor_kind(const struct decompressor *d)
{
    return d->kind;
}

void decompressor_free(struct decompressor *d)
{
    if (!d)
        return;
    archive_read_free(d->archive);
    free(d->what);
    free(d);
}
