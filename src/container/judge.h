/* What a restore needs of this machine, judged before anything is made. */
#pragma once

#include "base/refusals.h"
#include "container/restore.h"
#include "engine/engine.h"

/* The images in a checkpoint's directory. */
struct judged_images {
    int fd;
    struct json *descriptors; /* descriptors.json; NULL: none */
};
#define JUDGED_IMAGES_NONE ((struct judged_images){.fd = -1})

/* `dirfd` is the checkpoint in Podman's layout, `name` the container's. */
int judged_images_open(int dirfd, const char *name, struct judged_images *ret, struct error *err);
void judged_images_close(struct judged_images *i);
#define _cleanup_judged_images_ _cleanup_(judged_images_close)

/* What the engine may do for a container of this configuration; callbacks are left empty. It points
 * into all three. */
struct engine_restore_options judged_engine_options(const struct json *config,
                                                    const struct judged_images *images,
                                                    const struct restore_options *options);

/* Sources of bind mounts that are not here. */
void judge_mounts(const struct json *config, struct refusals *no);

/* What the engine would refuse, and addresses that others have. `pages` is not read: NULL says that
 * they are in the directory. 0 if it could be judged. */
int judge_restore(const struct json *config, int dirfd, const struct page_stream *pages,
                  const struct restore_options *options, struct refusals *no, struct error *err);
