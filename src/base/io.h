/* Reading and writing files whole, and the directory chores everybody needs. All descriptors are
 * opened CLOEXEC. Errors name the path. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Like read(2)/write(2), but restarted on EINTR and short transfers. read_full returns the bytes
 * read (less than `size` only at the end of the file) or -errno; the others 0 or -errno. */
ssize_t read_full(int fd, void *data, size_t size);
int write_full(int fd, const void *data, size_t size);
int pwrite_full(int fd, const void *data, size_t size, off_t offset);

/* Reads a whole file, at most `limit` bytes (0: 64 MiB), into `b`. dirfd as in openat(2). */
int file_read_at(int dirfd, const char *path, size_t limit, struct buf *b, struct error *err);
int file_read(const char *path, struct buf *b, struct error *err);
/* Reads a small /proc or /sys file without error text; trailing white space is cut.
 * Returns 0 or -errno. */
int file_read_line(const char *path, char *line, size_t size);
/* Writes aside and renames, so that readers see the old or the new content, never half.
 * With `sync`, survives a power cut. */
int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode, bool sync,
                      struct error *err);
/* Plain open-write-close of an existing file (/proc, /sys, cgroup). Returns 0 or -errno. */
int file_write_existing(const char *path, const char *text);

bool path_exists(const char *path);
/* mkdir -p. */
int mkdir_parents(const char *path, mode_t mode, struct error *err);
/* rm -rf that stays on one file system and never follows links. A missing path is success. */
int remove_tree(const char *path, struct error *err);
/* remove_tree of what is inside; the directory itself stays. */
int remove_content(const char *path, struct error *err);

/* Apparent size in bytes of all files below; 0 if there is nothing. */
uint64_t tree_size(const char *path);

/* "a/b" from parts, the caller frees. */
char *path_join(const char *a, const char *b);
/* Opens `path` below `rootfd` as if rootfd were "/": no link and no ".." leads out
 * (openat2(2) RESOLVE_IN_ROOT). Returns the fd or -errno. */
int open_in_root(int rootfd, const char *path, int flags, mode_t mode);
