/* Where the files of a checkpoint are written: a directory, or an archive (archive.h). One file at
 * a time, its size known before:
 *
 *     sink_begin(s, "pages-1.img", size, 0600, err);
 *     sink_write(s, data, n, err);           // until `size` bytes are written
 *     sink_end(s, err);
 *
 * Not for several threads at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"

struct sink;

int sink_begin(struct sink *s, const char *name, uint64_t size, mode_t mode, struct error *err);
int sink_write(struct sink *s, const void *data, size_t size, struct error *err);
/* An error unless exactly the announced size was written. */
int sink_end(struct sink *s, struct error *err);
/* A whole small file, mode 0600. */
int sink_put(struct sink *s, const char *name, const void *data, size_t size, struct error *err);

/* The descriptor of the file begun, open for reading and writing, if it is one that may be written
 * past the sink: with pwrite(2) anywhere below the announced size, from several threads or by
 * another process. -1 if the sink wants the bytes in order by sink_write. */
int sink_fd(const struct sink *s);
/* `size` bytes were written by way of sink_fd. */
int sink_written(struct sink *s, uint64_t size, struct error *err);

void sink_free(struct sink *s);
DEFINE_CLEANUP(struct sink *, sink_free);
#define _cleanup_sink_ _cleanup_(sink_freep)

/* Into a directory; files of the same name are replaced. The descriptor stays the caller's. */
struct sink *sink_directory(int dirfd);
/* Puts `prefix` before all names; `inner` stays the caller's. */
struct sink *sink_prefix(struct sink *inner, const char *prefix);

/* To add a kind of sink: fill a `struct sink_type`, keep the state in `context`, sink_new. The
 * checks of sizes are made before these are called. */
struct sink_type {
    int (*begin)(void *context, const char *name, uint64_t size, mode_t mode, struct error *err);
    int (*write)(void *context, const void *data, size_t size, struct error *err);
    int (*end)(void *context, struct error *err);
    int (*fd)(const void *context);                                  /* may be NULL */
    int (*written)(void *context, uint64_t size, struct error *err); /* if fd is there */
    void (*free)(void *context);                                     /* may be NULL */
};
struct sink *sink_new(const struct sink_type *type, void *context);
