/* What a container uses, from its control groups (v1, v2) and its network namespace.
 *
 *     struct container_stats now, before = {0};
 *     r = container_stats(c, &before, &now, err);     // `before` zeroed: since the start
 */
#pragma once

#include <stdint.h>

#include "container/container.h"

struct container_stats {
    int64_t time;                  /* ns since the epoch, of this look */
    int64_t up;                    /* ns since it was started */
    uint64_t cpu, system;          /* ns of processor time: all of it, and in the kernel */
    double cpu_percent;            /* of one processor, since the look before */
    double average_percent;        /* since the start */
    uint64_t memory, memory_limit; /* bytes; without a limit: the machine's memory */
    double memory_percent;
    uint64_t net_in, net_out;     /* bytes; 0 with the network of the host */
    uint64_t block_in, block_out; /* bytes read and written */
    uint64_t pids;
};

/* Only of running and paused ones: ERROR_STATE `container ID is not running: container state
 * improper`. Ordinary users' containers have no control groups here: ERROR_USAGE. */
int container_stats(struct container *c, const struct container_stats *before,
                    struct container_stats *ret, struct error *err);
