/* `firn save`, and pushing to files. */
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

struct transport;
/* To a place of a known kind that is no registry; `format` "oci" or "v2s2" asks for a manifest of
 * that kind, NULL leaves it as it is. */
int save_transport(struct store *s, const struct transport *t, const struct image *image,
                   char *const *names, const char *format, const struct progress *p,
                   struct error *err);

/* An image of a docker-archive, with the names to write down. */
struct saved_image {
    const struct image *image;
    char **names;
};
/* For save.c: writes a whole docker-archive to `fd`. */
int save_docker_archive(struct store *s, const struct saved_image *images, size_t count, int fd,
                        const struct progress *p, struct error *err);
