/* Blobs: files named by their SHA-256 in <root>/images/blobs/sha256. And reading them unpacked. */
#pragma once

#include "base/cleanup.h"
#include "base/digest.h"
#include "store/store.h"

/* <root>/images/blobs/sha256/<hex>; the caller frees. */
char *blob_path(const struct store *s, const char *hex);
/* Links the file `path` (in the store's temporary directory: whoever can write it could change the
 * blob) to its place; its content must have that digest, which is not looked at again when it is
 * `verified`. The image lock is held. */
int blob_take(struct store *s, const char *path, const char *hex, bool verified, struct error *err);
/* Writes bytes as a blob; `hex` receives the digest. The image lock is held. */
int blob_write(struct store *s, const void *data, size_t size, char hex[static DIGEST_HEX_SIZE],
               struct error *err);
/* Removes blobs no image uses. The image lock is held. */
int blob_prune(struct store *s, struct error *err);

/* A file read decompressed (see format/decompress.h), digested on the way. */
struct blob;
int blob_open(const char *path, struct blob **ret, struct error *err);
/* At most `size` bytes, 0 at the end, -errno. */
ssize_t blob_read(struct blob *b, void *data, size_t size, struct error *err);
/* "none", "gzip", "zstd", ... */
const char *blob_compression(const struct blob *b);
/* Reads what is left and gives the digest of the whole decompressed content. */
int blob_finish(struct blob *b, char hex[static DIGEST_HEX_SIZE], struct error *err);
void blob_close(struct blob *b);
DEFINE_CLEANUP(struct blob *, blob_close);
#define _cleanup_blob_ _cleanup_(blob_closep)
