/* Files into containers and out of them, whether they run or not. Paths of a container are looked
 * up as it sees them - its volumes and mounts included -, and no link in them leads out of it.
 *
 *     struct copy_side from = {.path = "/etc/motd"}, to = {.c = c, .path = "/tmp/"};
 *     r = container_copy(&from, &to, &options, err); */
#pragma once

#include "container/container.h"
#include "format/tar.h"

/* One side: of the host when `c` is NULL. Relative paths of a container begin at its working
 * directory. */
struct copy_side {
    struct container *c;
    const char *path;
};

struct copy_options {
    bool archive;   /* what comes into a container belongs to its user, else to whom it did */
    bool overwrite; /* also a directory by something else, and the reverse */
    bool pause;     /* running containers meanwhile, where that can be done */
};

/* As cp(1) -a does it: into a directory that is there, or to a new name; "DIR/." is what is in a
 * directory. `"/nope" could not be found on container p1: no such file or directory`
 * (ERROR_NOT_FOUND). */
int container_copy(const struct copy_side *from, const struct copy_side *to,
                   const struct copy_options *options, struct error *err);
/* As a tar, whose names begin with the last part of the path ("./" for "DIR/."). */
int container_copy_out(const struct copy_side *from, const struct copy_options *options,
                       tar_write_fn write, void *context, struct error *err);
/* From a tar of any compression into a directory that is there. */
int container_copy_in(int fd, const char *what, const struct copy_side *to,
                      const struct copy_options *options, struct error *err);

struct copy_stat {
    char *name; /* the last part of the path */
    int64_t size;
    mode_t mode;
    int64_t mtime_ns;
    char *link; /* where a link leads, "" for no link; the rest is of the link itself */
};
/* What is there, for container paths alone. */
int container_copy_stat(const struct copy_side *side, struct copy_stat *ret, struct error *err);
void copy_stat_clear(struct copy_stat *s);
#define _cleanup_copy_stat_ _cleanup_(copy_stat_clear)
