/* The network of a checkpoint that comes from elsewhere. */
#pragma once

#include "base/error.h"
#include "base/json.h"

struct firn;

/* Checks what the config of an archive says of networks and ports, and fits it to this user: a
 * bridge becomes pasta or slirp4netns for an ordinary user, and the reverse for root. */
int import_network(struct firn *firn, struct json *config, const char *archive, struct error *err);
