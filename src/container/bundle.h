/* What stands around a container's process: the mounted rootfs, /dev/shm, the files bound into it,
 * config.json. All of these expect the container's lock to be held; all are idempotent. */
#pragma once

#include "container/container.h"

/* Mounts the overlay at <directory>/merged (and counts as a user of it). */
int bundle_mount(struct container *c, struct error *err);
int bundle_unmount(struct container *c, struct error *err);
/* Is it mounted now? */
bool bundle_is_mounted(const struct container *c);

/* Everything needed before `create`: mounts rootfs and shm, creates missing volumes (with copy-up),
 * sets the network up (`wish`: what a restore wants of it, else NULL), writes hosts, resolv.conf,
 * hostname, containerenv, config.json. */
struct network_wish;
int container_prepare(struct container *c, const struct network_wish *wish, struct error *err);
/* The reverse of mounts and network. Files stay. */
int bundle_teardown(struct container *c, struct error *err);
/* The spec written by container_prepare. */
int bundle_spec(struct container *c, struct json **ret, struct error *err);
