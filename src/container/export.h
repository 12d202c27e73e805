#pragma once

#include "container/container.h"
#include "format/tar.h"

/* The container's root file system as an uncompressed tar, in whatever state the container is.
 * What is mounted into it (volumes, /proc, ...) is not part of it. */
int container_export(struct container *c, tar_write_fn write, void *context, struct error *err);
