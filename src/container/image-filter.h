/* The images `firn images` and `firn image prune` are about: --filter and the IMAGE argument. */
#pragma once

#include "store/image.h"

/* `name` NULL: any; a repository ("busybox") stands for all its tags, the names not asked for are
 * dropped from the result. Filters: dangling, reference, label, before, since, id, containers,
 * intermediate, readonly, until. Others: `unsupported image filter "X"`. */
int image_filter_list(struct store *s, const char *name, char *const *filters,
                      struct image_list *ret, struct error *err);
