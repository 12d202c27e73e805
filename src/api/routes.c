#include "api/routes.h"

const struct route *const route_tables[] = {
    checkpoint_routes,
    containers_files_routes,
    containers_list_routes,
    containers_logs_routes,
    containers_routes,
    containers_stats_routes,
    containers_wait_routes,
    docker_checkpoints_routes,
    events_routes,
    exec_routes,
    executions_routes,
    images_routes,
    images_transfer_routes,
    networks_routes,
    pods_routes,
    system_df_routes,
    system_routes,
    volumes_routes,
    NULL,
};
