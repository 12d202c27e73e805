/* A network as the commands show it. */
#pragma once

#include "base/json.h"
#include "store/network.h"

struct firn;

/* Podman's description: the document itself. */
struct json *network_report(const struct network *n);
int network_report_inspect(struct firn *firn, const char *name, struct json **ret,
                           struct error *err);
