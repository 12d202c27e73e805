/* `firn import`: a tarball of a root file system becomes an image of one layer. The same tarball
 * with the same options gives the same image id. */
#pragma once

#include "store/image.h"
#include "store/progress.h"

struct import_options {
    const char *source;              /* a path, "-" for stdin, or a URL (http, https by curl) */
    const char *name;                /* NULL: a dangling image */
    char *const *changes;            /* "CMD [\"sh\"]", "ENV A=b", ... */
    const char *message;             /* NULL: "imported from <source>" */
    const char *arch, *os, *variant; /* NULL: this machine's */
    struct progress progress;
};

int import_image(struct store *s, const struct import_options *o, struct image **ret,
                 struct error *err);

/* One Dockerfile-like instruction (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME,
 * WORKDIR) applied to the "config" object of an image config: for import and commit. */
int import_apply_change(struct json *config, const char *change, struct error *err);
