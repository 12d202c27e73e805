/* Turns a directory tree into a tar stream, in two steps because the header of an outer archive
 * needs the size before the content:
 *
 *     _cleanup_(pack_freep) struct pack *p = NULL;
 *     pack_scan(dirfd, &options, &p, err);       // looks at everything, reads no content
 *     announce(pack_size(p));
 *     pack_write(p, write, context, err);        // exactly that many bytes
 *
 * Owners, modes, nanoseconds, extended attributes, hard links, devices, FIFOs, sockets and holes
 * are kept, names come sorted. Links are never followed, other file systems never entered. A file
 * that grew after the scan is cut at the size it had then, one that shrank is filled with zeros,
 * one that was replaced or is gone is an error. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "format/tar.h"

enum pack_flags {
    /* Leave out trusted.overlay.* and user.overlay.* attributes. */
    PACK_NO_OVERLAY_XATTRS = 1 << 0,
    /* Begin with an entry "./" for the directory itself. */
    PACK_ROOT = 1 << 1,
    /* The tree is the upper directory of an overlay: write its whiteouts and opaque directories
     * as OCI layers have them (`.wh.NAME`, `.wh..wh..opq`). Implies PACK_NO_OVERLAY_XATTRS. */
    PACK_WHITEOUTS = 1 << 2,
};

enum pack_verdict {
    PACK_TAKE,
    PACK_SKIP,       /* with all that is below it */
    PACK_ONLY_BELOW, /* a directory whose content is wanted but not itself */
};

struct pack_options {
    unsigned flags;
    /* Put before every path ("name": "name/a", and "name/" for the directory itself). Not with
     * PACK_WHITEOUTS. NULL: none. */
    const char *prefix;
    /* Asked about everything but the root, after `e` was filled (but for extents); may change
     * `e` (path, owner, ...). `path` is the one in the tree, without leading "./". */
    enum pack_verdict (*filter)(void *context, const char *path, const struct stat *st,
                                struct tar_entry *e);
    void *context;
};

struct pack;

/* `dirfd` stays the caller's and must stay open until pack_free. */
int pack_scan(int dirfd, const struct pack_options *options, struct pack **ret, struct error *err);
size_t pack_entries(const struct pack *p);
/* Bytes of file content the tree has, holes not counted. */
uint64_t pack_content(const struct pack *p);
/* The size of the tar. */
uint64_t pack_size(const struct pack *p);
int pack_write(const struct pack *p, tar_write_fn write, void *context, struct error *err);
void pack_free(struct pack *p);
DEFINE_CLEANUP(struct pack *, pack_free);

/* Scan and write in one go. */
int pack_tree(int dirfd, const struct pack_options *options, tar_write_fn write, void *context,
              struct error *err);
