/* The volumes in a container's config (namedVolumes). */
#pragma once

#include "container/container.h"

/* At creation: makes those that are not there and remembers that the container uses them. */
int volumes_attach(struct container *c, struct error *err);
/* Before each start: makes missing ones again and fills new ones with what the image has at their
 * place. The rootfs is mounted. */
int volumes_prepare(struct container *c, struct error *err);
