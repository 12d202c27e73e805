#include "api/routes.h"

const struct route *const route_tables[] = {
    system_routes,
    NULL,
};
