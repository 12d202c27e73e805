/* Every table of routes; each is defined in the file of its noun. */
#pragma once

#include "api/route.h"

extern const struct route system_routes[];
