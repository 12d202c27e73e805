/* `firn load`. */
#pragma once

#include "store/image.h"
#include "store/progress.h"

struct load_options {
    const char *input; /* file or directory; NULL or "-": stdin */
    struct progress progress;
};

/* Finds out what the input is. *ret_names (the caller frees): one line per loaded image, its first
 * name or, without a name, "sha256:<id>". */
int load_images(struct store *s, const struct load_options *o, char ***ret_names,
                struct error *err);
