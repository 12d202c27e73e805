/* What a container changed in its root file system, and taking those changes elsewhere.
 *
 * The changes travel as two things, Podman's: a tar of everything added or modified (directories
 * whose metadata or content changed included, without their unchanged content), and a list of
 * deleted paths. Applied to a fresh container of the same image they give exactly the same tree.
 * Opaque directories and whiteouts are translated: what they hide is listed as deleted. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "format/pack.h"
#include "format/tar.h"
#include "store/store.h"

enum change_kind {
    CHANGE_MODIFIED, /* C */
    CHANGE_ADDED,    /* A */
    CHANGE_DELETED,  /* D */
};

struct change {
    char *path; /* absolute, in the container */
    enum change_kind kind;
    mode_t mode; /* of what is there now; of what was there for a deleted one */
};

struct changes {
    struct change *items; /* sorted by path */
    size_t count;
    size_t room;
};
#define _cleanup_changes_ _cleanup_(changes_free)
void changes_free(struct changes *c);

/* Compares a writable layer with the layers below it. Mounted or not does not matter; for a
 * consistent view its processes must be stopped. `layers` are directories, bottom first. */
int rootfs_diff_find(const char *upper, char *const *layers, bool userxattr, struct changes *ret,
                     struct error *err);
/* The same for a container of the store (see overlay_mount_container). */
int rootfs_diff_container(struct store *s, const char *container_id, const char *image_id,
                          struct changes *ret, struct error *err);

/* The tar of the added and modified entries of `upper`, to be written by pack_write (see
 * format/pack.h): *ret knows its size. `skip` are absolute paths that are left out with what is
 * below them (mount points firn itself made), NULL for none. `upper_fd` must stay open as long. */
int rootfs_diff_pack(int upper_fd, char *const *skip, struct pack **ret, struct error *err);
/* Deleted paths as a list (the caller frees, never NULL), `skip` as above. */
char **rootfs_diff_deleted(const struct changes *c, char *const *skip);

/* Applies both to the mounted root file system `merged`. Input is not trusted: nothing outside
 * `merged` is touched. `tar` NULL: none; `deleted` NULL: nothing. The deletions come first. */
int rootfs_diff_apply(const char *merged, struct tar_reader *tar, char *const *deleted,
                      struct error *err);
