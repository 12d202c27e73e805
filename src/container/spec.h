/* The OCI runtime spec (config.json). */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

struct container;

/* The spec for this container on this machine now: the config's `spec` with the root path, the user
 * looked up in the mounted rootfs, binds of our hosts files, rlimits and capabilities clipped to
 * what we hold. Expects the rootfs mounted at <directory>/merged. */
int spec_make(struct container *c, struct json **ret, struct error *err);

/* A copy with what the restoring engine needs until the very end: process.user 0:0, all five
 * capability sets = our bounding set, no seccomp, noNewPrivileges false, no AppArmor profile, no
 * SELinux label; all else unchanged. */
struct json *spec_for_restore(const struct json *spec);
