#include "api/routes.h"

const struct route *const route_tables[] = {
    checkpoint_routes,      containers_list_routes,
    containers_logs_routes, containers_routes,
    containers_wait_routes, exec_routes,
    images_routes,          images_transfer_routes,
    system_routes,          NULL,
};
