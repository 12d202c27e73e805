/* Images from and to elsewhere: registries, archives, directories. registry.c is the only file
 * that knows skopeo.
 *
 * A source or destination is a plain reference (from a registry) or one with a transport:
 * docker://REF, docker-archive:FILE[:REF], oci:DIR[:REF], oci-archive:FILE[:REF], dir:DIR. */
#pragma once

#include "store/image.h"
#include "store/progress.h"

enum registry_tls {
    REGISTRY_TLS_DEFAULT, /* as registries.conf says */
    REGISTRY_TLS_VERIFY,
    REGISTRY_TLS_SKIP,
};

struct registry_options {
    enum registry_tls tls;
    const char *creds; /* "user:password" */
    const char *authfile;
    const char *cert_dir;
    const char *arch, *os, *variant; /* NULL: this machine's */
    bool all_tags;
    const char *format;      /* push: "oci", "v2s2" or NULL */
    const char *compression; /* push: "gzip", "zstd" or NULL */
    const char *digest_file; /* push */
    struct progress progress;
};

/* Pulls, always asking the source. The image gets the full name of the reference. */
int registry_pull(struct store *s, const char *source, const struct registry_options *o,
                  struct image **ret, struct error *err);
int registry_push(struct store *s, const struct image *image, const char *destination,
                  const struct registry_options *o, struct error *err);
/* What is in a file or directory is copied to the OCI layout `oci_dir` (created) and the other way
 * round: save.c and load.c use this. `transport` is one of "docker-archive", "oci-archive", "oci",
 * "dir". `name` may be NULL. */
int registry_copy_in(struct store *s, const char *transport, const char *path, const char *name,
                     const struct registry_options *o, struct image **ret, struct error *err);
int registry_copy_out(struct store *s, const struct image *image, const char *transport,
                      const char *path, char *const *names, const struct registry_options *o,
                      struct error *err);

/* The image for `run`, `create`: local by `policy` ("missing", "always", "never", "newer"), else
 * pulled. "never" and not there: "X: image not known". */
int registry_ensure(struct store *s, const char *name, const char *policy,
                    const struct registry_options *o, struct image **ret, struct error *err);
