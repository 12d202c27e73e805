/* From the documents in an archive to a container's config. The archive is not trusted: only what
 * `firn run` could have been asked for comes over; paths on this host, hooks, runtimes and control
 * groups are ours to choose. */
#pragma once

#include "base/error.h"
#include "base/json.h"

struct firn;

/* Reads config.dump and spec.dump in `dirfd`. `name` NULL: name and id of the archive; else this
 * name and a new id. */
int import_config(struct firn *firn, int dirfd, const char *archive, const char *name,
                  struct json **ret, struct error *err);
/* The digest of the image's manifest that the archive names, or NULL. The caller frees. */
char *import_image_digest(int dirfd);
