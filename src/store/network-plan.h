/* The document of a new network: what was not given is chosen so that it is free here. Used by
 * network.c only. */
#pragma once

#include "store/network.h"

struct json *network_plan_default(void);
/* `others` are the networks there are. */
int network_plan(const struct network_options *o, const char *id, const struct network_list *others,
                 struct json **ret, struct error *err);
