/* Pieces of data compressed and expanded, each for itself. codec.c is the only file that knows zstd
 * and zlib. A codec belongs to one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/compress.h"

struct codec;

/* NULL without memory. */
struct codec *codec_new(void);
void codec_free(struct codec *c);
/* For base/ring.h: each thread has its own. */
void *codec_begin(void);
void codec_end(void *codec);

/* Room that is enough for any piece of this size, compressed. */
size_t codec_bound(enum compression kind, size_t size);
/* A zstd frame with its size and a checksum, or a gzip member. False without room or memory. */
bool codec_compress(struct codec *c, enum compression kind, int level, const void *in, size_t size,
                    void *out, size_t room, size_t *ret);

/* ---- zstd frames (RFC 8878) ---- */

#define CODEC_MAGIC_SIZE 4
/* Whether a stream that begins with these CODEC_MAGIC_SIZE bytes is zstd. */
bool codec_is_zstd(const void *data);
#define CODEC_UNKNOWN UINT64_MAX
/* The frame at `data`: 1 and its size, compressed and expanded (CODEC_UNKNOWN: it does not say); 0
 * if it does not end within `have` bytes; -EBADMSG if it is none. */
int codec_frame(const void *data, size_t have, size_t *size, uint64_t *content);
/* A whole frame; a skippable one is empty. False for a damaged one and without room. */
bool codec_expand(struct codec *c, const void *in, size_t size, void *out, size_t room,
                  size_t *ret);
/* A part of a stream of frames of any size: takes from `*in` as much as it wants. Returns what was
 * written to `out`, or -EBADMSG. `*between` tells whether the stream may end here. */
long codec_expand_part(struct codec *c, const void **in, size_t *size, void *out, size_t room,
                       bool *between);
