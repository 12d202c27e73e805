/* Finding the paths of files of which only the inode is known.
 *
 *     struct sought_inode s = {.dev = 0x4c, .ino = 4711, ...};   // from fdinfo
 *     inode_search(d, &s, 1);
 *     if (s.path) ...
 *
 * The kernel is asked first (open_by_handle_at(2)); where it does not tell, as on an overlay, the
 * file system is searched. What is found is compared by file handle where the kernel gives one,
 * else by inode number. */
#pragma once

#include "engine/dump.h"

#define SOUGHT_HANDLE_MAX 128

struct sought_inode {
    uint32_t dev; /* as the kernel numbers it: major << 20 | minor */
    uint64_t ino;
    int handle_type;
    uint32_t handle_bytes; /* 0: none known */
    unsigned char handle[SOUGHT_HANDLE_MAX];
    const char *path; /* inside the container, in the dump's arena; NULL: not found */
};

/* Sorts `all`. */
void inode_search(struct dump *d, struct sought_inode **all, size_t count);
