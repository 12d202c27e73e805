/* Images from and to elsewhere: registries, archives, directories. registry.c is the only file
 * that knows skopeo, and only registries need it.
 *
 * A source or destination is a plain reference (in a registry) or one with a transport:
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
    bool all_tags;                   /* pull: every tag of the repository; *ret is the last one */
    const char *format;              /* push: "oci", "v2s2" or NULL */
    const char *compression;         /* push: "gzip", "zstd" or NULL */
    const char *digest_file;         /* push: receives the digest of the manifest */
    struct progress progress;
};

/* Pulls, always asking the source. The image gets the full name of the reference, one out of an
 * archive the names written there. The errors are Podman's texts. */
int registry_pull(struct store *s, const char *source, const struct registry_options *o,
                  struct image **ret, struct error *err);
/* `name` is what the image was called by (the destination when that is NULL or without a name). */
int registry_push(struct store *s, const struct image *image, const char *name,
                  const char *destination, const struct registry_options *o, struct error *err);

/* The image for `run`, `create`: local by `policy` ("missing" when NULL, "always", "never",
 * "newer"), else pulled. "never" and not there: "X: image not known". */
int registry_ensure(struct store *s, const char *name, const char *policy,
                    const struct registry_options *o, struct image **ret, struct error *err);
