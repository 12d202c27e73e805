/* Where a checkpoint goes: an archive, or a directory with the same files. */
#pragma once

#include "base/error.h"
#include "container/container.h"
#include "format/archive.h"
#include "format/pack.h"
#include "format/sink.h"

struct target;

/* A file to be, complete or not there at all. What a restore needs is to be added before the pages.
 */
int target_archive(const char *path, enum compression compression, struct target **ret,
                   struct error *err);
/* A local checkpoint, the directory `path`: made aside, it replaces an earlier one when complete.
 */
int target_local(const char *path, struct target **ret, struct error *err);

int target_add_bytes(struct target *t, const char *name, const void *data, size_t size,
                     struct error *err);
int target_add_string(struct target *t, const char *name, const char *text, struct error *err);
int target_add_directory(struct target *t, const char *name, mode_t mode, struct error *err);
/* What a file has now; a missing one is left out. */
int target_add_file(struct target *t, const char *name, const char *path, struct error *err);
/* A directory's content as a tar. */
int target_add_tree(struct target *t, const char *name, int dirfd, const struct pack_options *o,
                    struct error *err);
int target_add_pack(struct target *t, const char *name, const struct pack *p, struct error *err);
/* For files below the directory NAME. The caller frees. */
struct sink *target_sink(struct target *t, const char *prefix);

int target_commit(struct target *t, struct error *err);
/* Without commit: removes what there is. After it: removes what was replaced. */
void target_free(struct target *t);
DEFINE_CLEANUP(struct target *, target_free);
