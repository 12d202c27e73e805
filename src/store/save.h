/* `firn save`. */
#pragma once

#include "store/image.h"
#include "store/progress.h"

struct save_options {
    char *const *images; /* names or ids; several only for docker-archive */
    const char *output;  /* file or directory; NULL or "-": stdout (archives only) */
    const char *format;  /* docker-archive (default when NULL), oci-archive, oci-dir, docker-dir */
    struct progress progress;
};

int save_images(struct store *s, const struct save_options *o, struct error *err);
