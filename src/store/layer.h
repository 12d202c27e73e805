/* Layers: the unpacked content of an image's layer blob, shared by all images and containers whose
 * chain of layers is the same up to there. They hold overlayfs' own whiteouts and opaque marks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "store/store.h"

/* The chain id of a layer on top of `parent` (NULL: the bottom one); all hex without "sha256:". */
void layer_chain_id(const char *parent, const char *diff_id, char chain[static DIGEST_HEX_SIZE]);
/* <root>/layers/<chain>/diff; the caller frees. */
char *layer_path(const struct store *s, const char *chain);
bool layer_exists(const struct store *s, const char *chain);
/* Unpacks the blob (a tar, possibly compressed) to its place, unless it is there. The content must
 * have the digest `diff_id`. Holding the image lock is the caller's duty. */
int layer_unpack(struct store *s, const char *blob_path, const char *diff_id, const char *parent,
                 struct error *err);
/* Removes layers no image uses. The image lock is held. */
int layer_prune(struct store *s, struct error *err);
