/* Images: looked up, listed, named, removed. They are made by registry.h, import.h and load.h, all
 * through image_add.
 *
 *     _cleanup_image_ struct image *image = NULL;
 *     int r = image_lookup(store, "busybox", &image, err);   // "busybox: image not known"
 *     char **env = image_env(image);                          // the caller frees lists
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "store/store.h"

struct image {
    char *id;              /* 64 hex: the digest of the config blob */
    char *digest;          /* of the manifest, "sha256:..." */
    char **names;          /* full, with tag or digest, oldest first; empty: dangling */
    int64_t created;       /* as the config says */
    int64_t size;          /* unpacked layers, config and manifest */
    char **layers;         /* chain ids, bottom first; may be empty */
    char **blobs;          /* hex digests of the layer blobs, as long as `layers` */
    struct json *config;   /* the OCI image config: architecture, os, config, rootfs, history */
    struct json *manifest; /* the OCI or Docker manifest */
};
void image_release(struct image *i);
DEFINE_CLEANUP(struct image *, image_release);
#define _cleanup_image_ _cleanup_(image_releasep)

struct image_list {
    struct image **items;
    size_t count;
};
#define _cleanup_image_list_ _cleanup_(image_list_free)
void image_list_free(struct image_list *l);

/* By name (Podman's rules, see reference.h), by "name@sha256:...", by id, by a unique id prefix of
 * at least 3 digits, each also with "sha256:". ERROR_NOT_FOUND "X: image not known". */
int image_lookup(struct store *s, const char *name, struct image **ret, struct error *err);
/* As image_lookup; *ret_name (the caller frees) is the name it was found under, NULL when by id. */
int image_lookup_name(struct store *s, const char *name, struct image **ret, char **ret_name,
                      struct error *err);
int image_by_id(struct store *s, const char *id, struct image **ret, struct error *err);
/* By the digest of the manifest ("sha256:..."). ERROR_NOT_FOUND when there is none. */
int image_by_digest(struct store *s, const char *digest, struct image **ret, struct error *err);
/* 1 or 0, negative: the look-up itself failed. */
int image_known(struct store *s, const char *name, struct error *err);
/* All images, newest (created) first. */
int image_list(struct store *s, struct image_list *ret, struct error *err);

/* What the config says; missing things are NULL, empty lists or "". Lists are the caller's. */
char **image_env(const struct image *i);        /* "PATH=..." */
char **image_cmd(const struct image *i);        /* NULL: none */
char **image_entrypoint(const struct image *i); /* NULL: none */
char **image_volumes(const struct image *i);    /* paths */
char **image_exposed_ports(const struct image *i);
const char *image_workdir(const struct image *i); /* "" when not set */
const char *image_user(const struct image *i);    /* "" when not set */
const char *image_stop_signal(const struct image *i);
const char *image_arch(const struct image *i);
const char *image_os(const struct image *i);
const struct json *image_labels(const struct image *i);      /* an object or NULL */
const struct json *image_annotations(const struct image *i); /* of the manifest, or NULL */
/* "docker.io/library/busybox@sha256:..." of each name's repository. The caller frees. */
char **image_repo_digests(const struct image *i);

/* Names. A name that belonged to another image moves. */
int image_tag(struct store *s, const char *image, const char *name, struct error *err);
/* `names` empty: all of them. */
int image_untag(struct store *s, const char *image, char *const *names, struct error *err);

/* Ids of containers that use it. */
int image_users(struct store *s, const char *id, char ***ret, struct error *err);
/* `rmi`: by a name takes that name away, and the image when it was the last; by id (or `force`) the
 * image with its names, but by id with several names only with force. *ret_untagged and
 * *ret_deleted (the caller frees; may be NULL) are what to report. With containers that use it:
 * ERROR_IN_USE; a caller with --force removes the containers first. */
int image_remove(struct store *s, const char *name, bool force, char ***ret_untagged,
                 char **ret_deleted, struct error *err);

/* A layer blob to be added with an image. Either its file is in the store already (see blob.h), or
 * it is linked there from `path`, which is below <root>/tmp. */
struct image_blob {
    const char *path;   /* NULL: in the store already */
    const char *digest; /* hex */
    bool verified;      /* the digest was just calculated from that very file */
};
/* Adds an image from its config and manifest bytes. All blobs are verified against their digests,
 * layers unpacked, where they are not there yet, and checked against the diff ids of the config.
 * `name` may be NULL. The image lock must not be held. Adding what is there only names it. */
struct image_source {
    const char *config;
    size_t config_size;
    const char *manifest; /* NULL: one is made */
    size_t manifest_size;
    const struct image_blob *blobs; /* one per diff id, bottom first */
    size_t blob_count;
    const char *name;               /* normalized, or NULL */
    const struct json *annotations; /* for the manifest that is made, or NULL */
    bool docker;                    /* the manifest that is made is Docker's, not OCI's */
};
int image_add(struct store *s, const struct image_source *source, struct image **ret,
              struct error *err);
