/* Overlay mounts. Whether something is mounted, and how often, is asked of the kernel.
 *
 *     struct overlay o = {.layers = dirs, .upper = up, .work = work, .merged = merged};
 *     r = overlay_mount(&o, err);
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "store/image.h"
#include "store/store.h"

struct overlay {
    char *const *layers; /* directories, bottom first, at least one */
    const char *upper;   /* NULL: read-only */
    const char *work;
    const char *merged;
    bool disposable; /* need not survive a crash: unmounting does not wait for the disk */
    bool userxattr;  /* marks in user.overlay.*: for mounts of ordinary users */
};

/* Mounts, unless something is mounted there already. Any number of layers. Where the kernel refuses
 * an ordinary user fuse-overlayfs does it. */
int overlay_mount(const struct overlay *o, struct error *err);
/* Does the kernel mount overlays for us in this store? Tries it. 0, or the error that says why. */
int overlay_probe(struct store *s, struct error *err);
/* Unmounts everything stacked on that path (lazily where it is busy); not mounted is success. */
int overlay_unmount(const char *merged, struct error *err);
/* How many mounts are on top of each other there in our mount namespace. */
int overlay_mount_count(const char *merged);

/* The root file system of a container: layers of `image_id`, <root>/containers/<id>/upper on top,
 * at .../merged. The directories are created when missing; upper/ gets mode and owner of the
 * topmost layer's root. *ret_merged (the caller frees) may be NULL. */
int overlay_mount_container(struct store *s, const char *container_id, const char *image_id,
                            bool disposable, char **ret_merged, struct error *err);
/* The directories of an image's layers, bottom first, at least one (the caller frees). */
int overlay_container_layers(struct store *s, const char *image_id, char ***ret, struct error *err);
int overlay_unmount_container(struct store *s, const char *container_id, struct error *err);
