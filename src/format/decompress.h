/* A stream read decompressed, whatever it is: gzip (any number of members), bzip2, xz, zstd (any
 * number of frames) or not compressed at all. decompress.c knows libarchive's filters as tar.c
 * knows its tar format. */
#pragma once

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct decompressor;

/* `what` names the stream in errors. The descriptor stays the caller's. */
int decompressor_open_fd(int fd, const char *what, struct decompressor **ret, struct error *err);
/* At most `size` bytes, 0 at the end, -errno. */
ssize_t decompressor_read(struct decompressor *d, void *data, size_t size, struct error *err);
/* "none", "gzip", "bzip2", "xz" or "zstd". */
const char *decompressor_kind(const struct decompressor *d);
void decompressor_free(struct decompressor *d);
DEFINE_CLEANUP(struct decompressor *, decompressor_free);
