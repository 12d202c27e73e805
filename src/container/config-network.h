/* Which private network this host can give this user. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

struct firn;

/* "bridge" for root, "pasta" or "slirp4netns" for others. An error names the missing package. */
int config_private_mode(const struct firn *firn, const char **ret, struct error *err);
/* Puts other published ports into the config of a container with a private network. NULL or empty:
 * nothing changes. */
int config_publish(struct json *config, char *const *specs, struct error *err);

bool config_is_mac(const char *mac);
bool config_is_interface(const char *name);
