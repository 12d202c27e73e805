/* tar streams. tar.c is the only file that knows libarchive.
 *
 * Reading (compression is detected: none, gzip, bzip2, xz, zstd, also of several frames):
 *
 *     _cleanup_(tar_reader_freep) struct tar_reader *r = NULL;
 *     tar_reader_open_fd(fd, "layer.tar.gz", &r, err);
 *     const struct tar_entry *e;
 *     while ((n = tar_reader_next(r, &e, err)) > 0)
 *         while ((n = tar_reader_data(r, &block, err)) > 0)
 *             use(block.data, block.size, block.offset);
 *
 * Writing is pax, uncompressed, with numeric owners, nanoseconds, extended attributes and sparse
 * maps. Tar has no sockets: one is written as an empty regular file with the record
 * "SCHILY.xattr.firn.type=socket", which is a socket again when read here and an empty file
 * elsewhere. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct tar_xattr {
    char *name;
    void *value;
    size_t size;
};

/* A range of a file that has data; between them are holes. */
struct tar_extent {
    uint64_t offset, size;
};

struct tar_entry {
    char *path;     /* as it stands in the archive, not checked */
    char *link;     /* target of a symbolic link, or path of the entry a hard link repeats */
    bool hard_link; /* the type in `mode` means nothing then */
    mode_t mode;    /* type (S_IFMT, sockets too) and permissions */
    uid_t uid;
    gid_t gid;
    int64_t mtime_ns;
    uint64_t size; /* of a regular file, holes included */
    dev_t rdev;
    struct tar_xattr *xattrs;
    size_t xattr_count, xattr_room;
    bool sparse; /* `extents` say where the data is; a file without any is one hole */
    struct tar_extent *extents;
    size_t extent_count, extent_room;
};

/* Frees what it holds and makes it empty. */
void tar_entry_clear(struct tar_entry *e);
#define _cleanup_tar_entry_ _cleanup_(tar_entry_clear)
void tar_entry_add_xattr(struct tar_entry *e, const char *name, const void *value, size_t size);
void tar_entry_add_extent(struct tar_entry *e, uint64_t offset, uint64_t size);

struct tar_reader;

struct tar_block {
    const void *data;
    size_t size;
    uint64_t offset; /* in the file; what no block covers is zero */
};

/* Gives at most `size` bytes, 0 at the end, or -errno. */
typedef ssize_t (*tar_read_fn)(void *context, void *data, size_t size);

/* `what` names the archive in errors. The descriptor stays the caller's. */
int tar_reader_open_fd(int fd, const char *what, struct tar_reader **ret, struct error *err);
int tar_reader_open(tar_read_fn read, void *context, const char *what, struct tar_reader **ret,
                    struct error *err);
/* 1: an entry, valid until the next call; 0: the end; -errno, among them -EINVAL for what is no tar
 * at all and -EBADMSG for a damaged or truncated one. Data not read is skipped. */
int tar_reader_next(struct tar_reader *r, const struct tar_entry **ret, struct error *err);
/* 1: a block, in ascending order; 0: the end of this entry; -errno. */
int tar_reader_data(struct tar_reader *r, struct tar_block *ret, struct error *err);
/* After the end: the archive had its end mark, so nothing was cut off. */
bool tar_reader_complete(const struct tar_reader *r);
void tar_reader_free(struct tar_reader *r);
DEFINE_CLEANUP(struct tar_reader *, tar_reader_free);

struct tar_writer;

/* Takes all of the bytes; 0 or -errno. The code comes back from the tar_writer functions. */
typedef int (*tar_write_fn)(void *context, const void *data, size_t size);

int tar_writer_open(tar_write_fn write, void *context, struct tar_writer **ret, struct error *err);
/* Starts an entry; a regular one is followed by its data. */
int tar_writer_add(struct tar_writer *w, const struct tar_entry *e, struct error *err);
/* The whole file from start to end, in any pieces; data NULL is `size` zeros. Bytes that fall into
 * a hole are not stored. Data that is missing when the entry ends becomes zeros. */
int tar_writer_data(struct tar_writer *w, const void *data, uint64_t size, struct error *err);
/* Ends the archive. */
int tar_writer_end(struct tar_writer *w, struct error *err);
/* Frees; without tar_writer_end before, what was written has no end. */
void tar_writer_free(struct tar_writer *w);
DEFINE_CLEANUP(struct tar_writer *, tar_writer_free);
