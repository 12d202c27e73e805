/* Device nodes in an OCI spec. */
#pragma once

#include "base/error.h"
#include "base/json.h"

/* Adds host node `path` to spec.linux.devices as `target` and its rule to linux.resources.devices.
 * A directory stands for every node below it. */
int device_add(struct json *spec, const char *path, const char *target, const char *access,
               struct error *err);
/* --privileged: every device of the host, all access. */
int device_add_all(struct json *spec, struct error *err);
