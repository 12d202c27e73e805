/* How many threads of ours can run at once. */
#pragma once

#include <stddef.h>

/* By the affinity of this process (sched_getaffinity(2)), at most `limit`. */
size_t cores_count(size_t limit);
