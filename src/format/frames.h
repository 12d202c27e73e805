/* A zstd stream expanded by all cores: frames that say their size and are not too large (as
 * compress.h writes them) side by side, any other one after the other. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct frames;

/* Gives at most `size` bytes, 0 at the end, or -errno. */
typedef ssize_t (*frames_read_fn)(void *context, void *data, size_t size);

int frames_open(frames_read_fn read, void *context, struct frames **ret, struct error *err);
/* 1: a block, valid until the next call; 0: the end; -errno: of `read`, -EBADMSG for a damaged
 * stream, -ENODATA for one that ends within a frame. */
int frames_next(struct frames *f, const void **data, size_t *size);
void frames_free(struct frames *f);
DEFINE_CLEANUP(struct frames *, frames_free);
