/* The checkpoint archive, in the layout Podman gives it: a tar, as a whole compressed or not, of
 *
 *     config.dump spec.dump network.status ctr.log stats-dump dump.log
 *     checkpoint/FILE           images of the processes
 *     devshm-checkpoint.tar     /dev/shm
 *     rootfs-diff.tar deleted.files
 *     volumes/NAME.tar
 *     firn-* checkpoint/firn-*  what only firn reads
 *
 * It is written in one pass, nothing is spooled:
 *
 *     _cleanup_(archive_writer_freep) struct archive_writer *a = NULL;
 *     archive_writer_open(path, COMPRESS_ZSTD, 0600, &a, err);
 *     archive_add_bytes(a, "config.dump", 0600, text, size, err);
 *     archive_add_directory(a, "checkpoint", 0700, err);
 *     _cleanup_sink_ struct sink *s = sink_prefix(archive_sink(a), "checkpoint/");
 *     ...
 *     archive_writer_commit(a, err);
 *
 * The file appears under its name when it is complete; without commit it is removed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "format/compress.h"
#include "format/pack.h"
#include "format/sink.h"

struct archive_writer;

/* "-" is standard output. What exists and is no regular file (FIFO, device) is written to directly.
 */
int archive_writer_open(const char *path, enum compression compression, mode_t mode,
                        struct archive_writer **ret, struct error *err);
int archive_add_directory(struct archive_writer *a, const char *name, mode_t mode,
                          struct error *err);
int archive_add_bytes(struct archive_writer *a, const char *name, mode_t mode, const void *data,
                      size_t size, struct error *err);
/* A file somebody may still write to: what comes after its size now is left out. */
int archive_add_file(struct archive_writer *a, const char *name, mode_t mode, int fd,
                     struct error *err);
/* A tar within the archive. */
int archive_add_tree(struct archive_writer *a, const char *name, mode_t mode, const struct pack *p,
                     struct error *err);
/* Files go into the archive under the names given; belongs to the writer. */
struct sink *archive_sink(struct archive_writer *a);
/* Completes the file, makes it durable and gives it its name. */
int archive_writer_commit(struct archive_writer *a, struct error *err);
/* Bytes in the file so far. */
uint64_t archive_writer_size(const struct archive_writer *a);
void archive_writer_free(struct archive_writer *a);
DEFINE_CLEANUP(struct archive_writer *, archive_writer_free);

struct archive_policy {
    uint64_t max_entries; /* 0: a million */
    uint64_t max_size;    /* of all files; 0: what is free at the destination */
};

struct archive_reader;

/* An archive that begins with this (empty) file has all its pages-*.img after everything else that
 * a restore needs. */
#define ARCHIVE_PAGES_LAST "firn-pages-last"

/* Reading in one pass:
 *
 *     _cleanup_(archive_reader_freep) struct archive_reader *r = NULL;
 *     archive_reader_open(path, NULL, &r, err);
 *     archive_reader_extract(r, dirfd, err);
 *     while ((n = archive_reader_pages(r, &number, &size, err)) > 0)
 *         while ((n = archive_reader_data(r, &data, &size, err)) > 0)
 *             ...
 *
 * "-" is standard input. `policy` may be NULL. */
int archive_reader_open(const char *path, const struct archive_policy *policy,
                        struct archive_reader **ret, struct error *err);
/* From a descriptor, which stays the caller's; `name` is for errors. */
int archive_reader_open_fd(int fd, const char *name, const struct archive_policy *policy,
                           struct archive_reader **ret, struct error *err);
/* Extracts what a checkpoint consists of into an empty directory; files get mode 0600, directories
 * 0700. Unknown plain files are left out, everything else unknown is an error, and so is an archive
 * without config.dump, spec.dump or checkpoint/inventory.img. On error the directory holds a part.
 * Of an archive with ARCHIVE_PAGES_LAST only what comes before the pages is extracted. */
int archive_reader_extract(struct archive_reader *r, int dirfd, struct error *err);
/* Whether pages are still in the archive, to be read by the two below. */
bool archive_reader_has_pages(const struct archive_reader *r);
/* 1: the next file of pages, checkpoint/pages-NUMBER.img; 0: there are no more, and the archive is
 * complete. */
int archive_reader_pages(struct archive_reader *r, uint32_t *number, uint64_t *size,
                         struct error *err);
/* 1: its next block, without gaps, valid until the next call; 0: its end. */
int archive_reader_data(struct archive_reader *r, const void **data, size_t *size,
                        struct error *err);
void archive_reader_free(struct archive_reader *r);
DEFINE_CLEANUP(struct archive_reader *, archive_reader_free);
