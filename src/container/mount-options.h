/* Options of -v, --mount and --tmpfs, as users write them and as the runtime takes them. */
#pragma once

#include "base/error.h"

/* Checks the options for `type` (bind, volume, tmpfs) and adds the defaults Podman adds (rw,
 * rprivate, rbind; nosuid, nodev, tmpcopyup for tmpfs). `invalid option type "zzz"`. */
int mount_options_complete(const char *type, char ***options, struct error *err);
/* An absolute path without "//", "/./", "/../" and a trailing "/". The caller frees. */
char *mount_clean_path(const char *path);
