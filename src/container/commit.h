#pragma once

#include "container/container.h"
#include "store/image.h"

struct commit_options {
    const char *name;     /* of the image; NULL: none */
    const char *author;   /* NULL: none */
    const char *message;  /* NULL: none; only with format docker */
    const char *format;   /* oci (NULL) or docker: of the manifest */
    char *const *changes; /* as import_apply_change takes them */
    bool pause;           /* a running container is paused meanwhile */
    bool squash;          /* one layer instead of one more */
    bool include_volumes; /* the container's volumes become the image's */
};

/* Makes an image of the container's root file system and of what it runs. Volumes' content is not
 * part of it. */
int container_commit(struct container *c, const struct commit_options *options, struct image **ret,
                     struct error *err);
