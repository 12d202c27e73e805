/* Seccomp profiles: from the format of containers-common to linux.seccomp of an OCI spec. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

/* `profile` as read from a file: with archMap and rules that depend on capabilities and
 * architectures, or plain OCI already. `capabilities` is the container's bounding set. */
int seccomp_make(const struct json *profile, uint64_t capabilities, struct json **ret,
                 struct error *err);
/* The host's default profile: /etc/containers/seccomp.json, else
 * /usr/share/containers/seccomp.json. *ret is NULL when there is none. */
int seccomp_default_profile(struct json **ret, struct error *err);
