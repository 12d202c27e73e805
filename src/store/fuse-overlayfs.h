/* fuse-overlayfs: overlay mounts for ordinary users where the kernel refuses its own (before Linux
 * 5.11, or for a store on a file system that cannot be an upper layer). fuse-overlayfs.c is the
 * only file that knows the program and what it leaves in the upper directory: it cannot always make
 * whiteouts, and then writes them as layers in tars do, ".wh.NAME" and ".wh..wh..opq". */
#pragma once

#include <stdbool.h>

#include "store/overlay.h"

/* Mounts by the program, which stays until the mount goes. An error when it is not installed or
 * fails. */
int fuse_overlayfs_mount(const struct overlay *o, struct error *err);
/* Was this upper directory written by it? */
bool fuse_overlayfs_made(const char *upper);
bool fuse_overlayfs_made_at(int upper_fd);
/* A name in such a directory that stands for something else: *ret_hides is the name that is deleted
 * by it, NULL for the mark of an opaque directory. */
bool fuse_overlayfs_is_mark(const char *name, const char **ret_hides);
bool fuse_overlayfs_is_opaque(int dirfd);
