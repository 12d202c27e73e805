#include "format/compress.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/ring.h"
#include "format/codec.h"

#define PIECE (256u << 10)

struct compressor {
    enum compression kind;
    int level;
    size_t room;
    compress_write_fn write;
    void *context;
    struct ring *ring; /* NULL: not compressed */
    bool any;          /* something was compressed */
};

static const struct {
    const char *name;
    enum compression kind;
} names[] = {{"none", COMPRESS_NONE}, {"gzip", COMPRESS_GZIP}, {"zstd", COMPRESS_ZSTD}};

int compression_parse(const char *name, enum compression *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(name, names[i].name) == 0) {
            *ret = names[i].kind;
            return 0;
        }
    }
    return -EINVAL;
}

const char *compression_name(enum compression c)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].kind == c)
            return names[i].name;
    return "none";
}

static bool compress_piece(void *codec, const void *context, struct ring_piece *p)
{
    const struct compressor *c = context;
    return codec_compress(codec, c->kind, c->level, p->in, p->in_size, p->out, c->room,
                          &p->out_size);
}

static const struct ring_work compressing = {codec_begin, codec_end, compress_piece};

int compressor_open(enum compression kind, int level, compress_write_fn write, void *context,
                    struct compressor **ret, struct error *err)
{
    _cleanup_(compressor_freep) struct compressor *c = xcalloc(1, sizeof(*c));
    c->kind = kind;
    c->level = level ? level : 1;
    c->write = write;
    c->context = context;
    c->room = codec_bound(kind, PIECE);
    int r = kind == COMPRESS_NONE ? 0 : ring_open(PIECE, c->room, &compressing, c, &c->ring, err);
    if (r == 0)
        *ret = take_ptr(c);
    return r;
}

static int write_out(struct compressor *c, const void *data, size_t size, struct error *err)
{
    int r = c->write(c->context, data, size);
    return r < 0 ? error_errno(err, -r, "cannot write compressed data") : 0;
}

/* Writes finished pieces in order; with `wait`, at least one, if any is under way. Returns how many
 * there were. */
static int drain(struct compressor *c, bool wait, struct error *err)
{
    int count = 0;
    for (struct ring_piece *p; (p = ring_oldest(c->ring, wait && !count)); count++) {
        if (p->failed)
            return error_set(err, EIO, "the %s library failed", compression_name(c->kind));
        int r = write_out(c, p->out, p->out_size, err);
        if (r < 0)
            return r;
        ring_release(c->ring);
    }
    return count;
}

static int submit(struct compressor *c, struct error *err)
{
    ring_submit(c->ring);
    c->any = true;
    int r = drain(c, !ring_empty(c->ring), err);
    return r < 0 ? r : 0;
}

int compressor_write(struct compressor *c, const void *data, size_t size, struct error *err)
{
    if (!c->ring)
        return write_out(c, data, size, err);
    while (size) {
        struct ring_piece *p = ring_empty(c->ring);
        size_t step = PIECE - p->in_size < size ? PIECE - p->in_size : size;
        memcpy(p->in + p->in_size, data, step);
        p->in_size += step;
        data = (const char *)data + step;
        size -= step;
        int r = p->in_size == PIECE ? submit(c, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int compressor_end(struct compressor *c, struct error *err)
{
    if (!c->ring)
        return 0;
    int r = ring_empty(c->ring)->in_size || !c->any ? submit(c, err) : 0;
    if (r < 0)
        return r;
    do
        r = drain(c, true, err);
    while (r > 0);
    return r;
}

void compressor_free(struct compressor *c)
{
    if (c->ring)
        ring_free(c->ring);
    free(c);
}
