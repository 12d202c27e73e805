#pragma once

#include "base/json.h"
#include "container/container.h"

/* Podman's `container inspect` object. With size, SizeRw and SizeRootFs. */
int container_inspect(struct container *c, bool size, struct json **ret, struct error *err);
/* One element of `ps --format json` (also the fields of its templates). */
int container_ps_entry(struct container *c, bool size, struct json **ret, struct error *err);
