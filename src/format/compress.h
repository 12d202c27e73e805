/* Streams compressed by all cores.
 *
 * The input is cut into pieces of 256 KiB, each compressed for itself: zstd as independent frames
 * with their size and a checksum, gzip as members of one file. Any zstd or gzip reads the result,
 * and a reader that wants to can start at any frame. Memory is bounded by the number of cores. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

enum compression { COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_ZSTD };

/* "none", "gzip", "zstd" in any case; -EINVAL without error text otherwise. */
int compression_parse(const char *name, enum compression *ret);
const char *compression_name(enum compression c);

/* Takes all bytes; 0 or -errno. Called only from within the functions below. */
typedef int (*compress_write_fn)(void *context, const void *data, size_t size);

struct compressor;

/* level 0: the fast default (zstd 1, gzip 1). */
int compressor_open(enum compression kind, int level, compress_write_fn write, void *context,
                    struct compressor **ret, struct error *err);
int compressor_write(struct compressor *c, const void *data, size_t size, struct error *err);
/* Writes what is left. An empty input becomes an empty frame, not an empty file. */
int compressor_end(struct compressor *c, struct error *err);
void compressor_free(struct compressor *c);
DEFINE_CLEANUP(struct compressor *, compressor_free);
