/* `firn load`, and pulling from files. */
#pragma once

#include "store/image.h"
#include "store/layout.h"
#include "store/progress.h"

struct load_options {
    const char *input; /* file or directory; NULL or "-": stdin */
    struct progress progress;
};

/* Finds out what the input is. *ret_names (the caller frees): one per loaded image, its newest
 * name or, without a name, "sha256:<id>". */
int load_images(struct store *s, const struct load_options *o, char ***ret_names,
                struct error *err);

struct transport;
/* From a place of a known kind that is no registry. */
int load_transport(struct store *s, const struct transport *t, const struct layout_options *o,
                   struct image_list *ret, struct error *err);
