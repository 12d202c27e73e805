/* What the files about containers share. */
#pragma once

#include "api/route.h"
#include "container/container.h"
#include "container/state.h"

/* The container named first in the path. */
int containers_lookup(struct request *r, struct container **ret, struct error *err);
/* "running" for Docker, which knows fewer states. */
const char *containers_docker_state(enum container_state state);
