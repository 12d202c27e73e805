#include "format/codec.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/alloc.h"

/* Contexts are large: each is made when it is first wanted. */
struct codec {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *expand;
    z_stream gzip;
    bool have_gzip;
};

struct codec *codec_new(void)
{
    return xcalloc(1, sizeof(struct codec));
}

void codec_free(struct codec *c)
{
    ZSTD_freeCCtx(c->compress);
    ZSTD_freeDCtx(c->expand);
    if (c->have_gzip)
        deflateEnd(&c->gzip);
    free(c);
}

void *codec_begin(void)
{
    return codec_new();
}

void codec_end(void *codec)
{
    codec_free(codec);
}

size_t codec_bound(enum compression kind, size_t size)
{
    if (kind == COMPRESS_ZSTD)
        return ZSTD_compressBound(size);
    return compressBound(size) + 32; /* the gzip header and trailer are larger than zlib's */
}

static bool ready_zstd(struct codec *c, int level)
{
    if (c->compress)
        return true;
    c->compress = ZSTD_createCCtx();
    return c->compress &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->compress, ZSTD_c_compressionLevel, level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c->compress, ZSTD_c_checksumFlag, 1));
}

static bool compress_zstd(struct codec *c, int level, const void *in, size_t size, void *out,
                          size_t room, size_t *ret)
{
    if (!ready_zstd(c, level))
        return false;
    *ret = ZSTD_compress2(c->compress, out, room, in, size);
    return !ZSTD_isError(*ret);
}

static bool ready_gzip(struct codec *c, int level)
{
    if (c->have_gzip)
        return deflateReset(&c->gzip) == Z_OK;
    /* 31: the largest window, in a gzip wrapping */
    c->have_gzip = deflateInit2(&c->gzip, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return c->have_gzip;
}

static bool compress_gzip(struct codec *c, int level, const void *in, size_t size, void *out,
                          size_t room, size_t *ret)
{
    if (!ready_gzip(c, level))
        return false;
    c->gzip.next_in = (unsigned char *)in;
    c->gzip.avail_in = (unsigned)size;
    c->gzip.next_out = out;
    c->gzip.avail_out = (unsigned)room;
    if (deflate(&c->gzip, Z_FINISH) != Z_STREAM_END)
        return false;
    *ret = room - c->gzip.avail_out;
    return true;
}

bool codec_compress(struct codec *c, enum compression kind, int level, const void *in, size_t size,
                    void *out, size_t room, size_t *ret)
{
    return kind == COMPRESS_ZSTD ? compress_zstd(c, level, in, size, out, room, ret)
                                 : compress_gzip(c, level, in, size, out, room, ret);
}

bool codec_is_zstd(const void *data)
{
    uint32_t magic;
    memcpy(&magic, data, sizeof(magic));
    return magic == ZSTD_MAGICNUMBER ||
           (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

int codec_frame(const void *data, size_t have, size_t *size, uint64_t *content)
{
    size_t n = ZSTD_findFrameCompressedSize(data, have);
    if (ZSTD_isError(n))
        return ZSTD_getErrorCode(n) == ZSTD_error_srcSize_wrong ? 0 : -EBADMSG;
    unsigned long long expanded = ZSTD_getFrameContentSize(data, have);
    *size = n;
    *content = expanded == ZSTD_CONTENTSIZE_UNKNOWN || expanded == ZSTD_CONTENTSIZE_ERROR
                   ? CODEC_UNKNOWN
                   : expanded;
    return 1;
}

static bool ready_expand(struct codec *c)
{
    if (!c->expand)
        c->expand = ZSTD_createDCtx();
    return c->expand;
}

bool codec_expand(struct codec *c, const void *in, size_t size, void *out, size_t room, size_t *ret)
{
    if (!ready_expand(c))
        return false;
    *ret = ZSTD_decompressDCtx(c->expand, out, room, in, size);
    return !ZSTD_isError(*ret);
}

long codec_expand_part(struct codec *c, const void **in, size_t *size, void *out, size_t room,
                       bool *between)
{
    if (!ready_expand(c))
        return -ENOMEM;
    ZSTD_inBuffer source = {*in, *size, 0};
    ZSTD_outBuffer target = {out, room, 0};
    size_t n = ZSTD_decompressStream(c->expand, &target, &source);
    if (ZSTD_isError(n))
        return -EBADMSG;
    *in = (const char *)*in + source.pos;
    *size -= source.pos;
    *between = n == 0;
    return (long)target.pos;
}
