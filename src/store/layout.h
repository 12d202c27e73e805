/* Images as files in a directory, the three ways they come:
 *
 *   OCI     oci-layout, index.json, blobs/sha256/<hex>
 *   DIR     manifest.json, version, <hex> (skopeo's "dir:")
 *   DOCKER  manifest.json (a list), <id>.json, layer tars (an unpacked docker-archive) */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "store/image.h"
#include "store/progress.h"

enum layout {
    LAYOUT_NONE,
    LAYOUT_OCI,
    LAYOUT_DIR,
    LAYOUT_DOCKER,
};

struct layout_options {
    bool ours;                       /* below <root>/tmp: files may be linked instead of copied */
    const char *ref;                 /* only this one of several images; NULL: all of them */
    const char *name;                /* full name instead of those that are written down */
    bool nameless;                   /* no name, whatever is written down */
    const char *arch, *os, *variant; /* out of a list of manifests; NULL: this machine's */
    struct progress progress;
};

enum layout layout_detect(const char *dir);
/* Adds the images to the store. Paths and digests found inside are not trusted. */
int layout_take(struct store *s, enum layout kind, const char *dir, const struct layout_options *o,
                struct image_list *ret, struct error *err);

/* Writes an image; `dir` is there and empty. LAYOUT_OCI and LAYOUT_DIR; `names` are noted where
 * the layout has room for them. With `convert` a manifest of the other format becomes
 * OCI's for LAYOUT_OCI and Docker's for LAYOUT_DIR; a LAYOUT_OCI directory always gets OCI's. */
int layout_write(struct store *s, enum layout kind, const char *dir, const struct image *image,
                 char *const *names, bool convert, struct error *err);

/* For the files layout-*.c. A regular file inside a layout: links lead nowhere outside. The caller
 * frees the path, which has no links any more. */
int layout_find_file(const char *dir, const char *name, char **ret, struct error *err);
/* The content of such a file, at most some MiB. */
int layout_read_file(const char *dir, const char *name, struct buf *b, struct error *err);
/* One image whose manifest was found. Its blobs are `dir`/`prefix`<hex>. */
int layout_take_manifest(struct store *s, const char *dir, const char *prefix,
                         const struct buf *manifest, const char *name,
                         const struct layout_options *o, struct image_list *ret, struct error *err);
/* Copies a file; `to` must not be there. */
int layout_copy_file(const char *from, const char *to, struct error *err);
/* `file` as it is (o->ours) or a copy of it in `tmp`. The caller frees. */
int layout_own_file(const char *file, const char *tmp, const struct layout_options *o, char **ret,
                    struct error *err);
/* The name an image gets that is written down as `name`. */
int layout_name(const struct layout_options *o, const char *name, char **ret, struct error *err);
/* image_add, noted in the list and reported. */
int layout_add(struct store *s, const struct image_source *source, const struct layout_options *o,
               struct image_list *ret, struct error *err);
int layout_take_oci(struct store *s, const char *dir, const struct layout_options *o,
                    struct image_list *ret, struct error *err);
int layout_take_docker(struct store *s, const char *dir, const struct layout_options *o,
                       struct image_list *ret, struct error *err);
int layout_write_oci(struct store *s, const char *dir, const char *manifest, const char *hex,
                     char *const *names, struct error *err);
