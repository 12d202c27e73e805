/* Image manifests: OCI's and Docker's second schema, which differ in the names of the types only.
 */
#pragma once

#include "base/cleanup.h"
#include "base/json.h"
#include "store/store.h"

enum manifest_format {
    MANIFEST_OCI,
    MANIFEST_DOCKER,
};

struct manifest {
    struct json *json;
    char *config;  /* hex digest */
    char **layers; /* hex digests, bottom first */
};
#define _cleanup_manifest_ _cleanup_(manifest_free)

/* A list of manifests is no manifest. Digests other than sha256 are refused. */
int manifest_parse(const char *text, size_t size, struct manifest *ret, struct error *err);
void manifest_free(struct manifest *m);

/* A manifest for blobs of the store (layers as hex digests); `annotations` may be NULL and are
 * OCI's alone. The caller frees. */
char *manifest_make(struct store *s, enum manifest_format format, const char *config,
                    char *const *layers, const struct json *annotations);

/* Whether the type of an index entry or the index itself is that of a list of manifests. */
bool manifest_is_list(const struct json *o);
/* The entry of a list for a machine: its digest (hex), NULL when there is none. NULL arguments
 * mean this machine. */
const char *manifest_choose(const struct json *list, const char *arch, const char *os,
                            const char *variant);
