/* What was changed in a root file system. */
#pragma once

#include "container/container.h"
#include "store/rootfs-diff.h"

struct firn;

/* Of a container against its image, or of an image's topmost layer against those below. Without
 * what firn itself puts there (/dev, /proc, /etc/hosts, ... and mount points). Unknown: `X not
 * found: layer not known`. */
int container_diff(struct firn *firn, const char *name, struct changes *ret, struct error *err);
/* Is the path one of those that firn itself makes in every container? */
bool diff_is_ours(const char *path);
