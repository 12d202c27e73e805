/* Puts the entries of a tar stream into a directory, from an archive nobody trusts: whatever the
 * archive says, nothing outside the directory is read, made or changed. Links found on the way are
 * followed as if the directory were "/".
 *
 *     const struct unpack_options o = {.flags = UNPACK_WHITEOUTS};
 *     unpack_tar(reader, dirfd, &o, NULL, err);
 *
 * Owners, modes, times, extended attributes, devices, FIFOs, sockets, hard links and holes come
 * out as they were packed. An entry replaces what stands in its place (a directory only by
 * something else than a directory). Attributes the file system or the caller's rights do not allow
 * are counted and left out. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "format/tar.h"

enum unpack_flags {
    /* OCI layer: `.wh.NAME` becomes an overlayfs whiteout, `.wh..wh..opq` an opaque directory.
     * The directory must be empty before. */
    UNPACK_WHITEOUTS = 1 << 0,
    /* Mark opaque directories by user.overlay.opaque instead of trusted.overlay.opaque (rootless
     * overlay mounts with the option userxattr). */
    UNPACK_USER_OVERLAY = 1 << 1,
    /* Keep overlayfs' own attributes found in the archive instead of dropping them. They steer
     * what an overlay mount shows, so only for archives firn made itself. */
    UNPACK_OVERLAY_XATTRS = 1 << 2,
    /* Devices: an error instead of mknod. */
    UNPACK_REFUSE_DEVICES = 1 << 3,
    /* Devices: left out and counted. */
    UNPACK_SKIP_DEVICES = 1 << 4,
    /* Everything belongs to the caller. */
    UNPACK_NO_OWNER = 1 << 5,
    /* Everything belongs to options->uid and gid. */
    UNPACK_OWNER = 1 << 6,
    /* A directory in the place of something else, or the reverse, is an error. */
    UNPACK_KEEP_KIND = 1 << 7,
};

struct unpack_options {
    unsigned flags;
    uint64_t max_entries; /* 0: no limit */
    uint64_t max_size;    /* bytes of file content, holes not counted; 0: no limit */
    size_t max_path;      /* 0: 4095 */
    uid_t uid;            /* with UNPACK_OWNER */
    gid_t gid;
};

struct unpack_result {
    uint64_t entries, size;
    uint64_t skipped_xattrs, skipped_devices;
};

/* `result` may be NULL. What was unpacked before an error stays. */
int unpack_tar(struct tar_reader *r, int dirfd, const struct unpack_options *options,
               struct unpack_result *result, struct error *err);
/* The same from a descriptor; `what` names the archive in errors. */
int unpack_fd(int fd, const char *what, int dirfd, const struct unpack_options *options,
              struct unpack_result *result, struct error *err);
