/* Every table of routes; each is defined in the file of its noun. */
#pragma once

#include "api/route.h"

extern const struct route checkpoint_routes[];
extern const struct route containers_files_routes[];
extern const struct route containers_list_routes[];
extern const struct route containers_logs_routes[];
extern const struct route containers_routes[];
extern const struct route containers_stats_routes[];
extern const struct route containers_wait_routes[];
extern const struct route docker_checkpoints_routes[];
extern const struct route events_routes[];
extern const struct route exec_routes[];
extern const struct route executions_routes[];
extern const struct route images_routes[];
extern const struct route images_transfer_routes[];
extern const struct route networks_routes[];
extern const struct route pods_routes[];
extern const struct route system_df_routes[];
extern const struct route system_routes[];
extern const struct route volumes_routes[];
