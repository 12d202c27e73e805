/* What the fuzz targets need: the input as a file, and a directory to work in. */
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input as an open file, at its start. */
static inline int fuzz_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write_full(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    return fd;
}

/* A new directory in memory; fuzz_directory_remove takes it away. */
static inline char *fuzz_directory(void)
{
    char *path = xstrdup("/dev/shm/firn-fuzz.XXXXXX");
    if (!mkdtemp(path))
        abort();
    return path;
}

static inline void fuzz_directory_remove(char **path)
{
    remove_tree(*path, NULL);
    free(*path);
}
#define _cleanup_fuzz_directory_ _cleanup_(fuzz_directory_remove)
