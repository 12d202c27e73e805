#include "base/cores.h"

#include <sched.h>

size_t cores_count(size_t limit)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 1;
    size_t n = (size_t)CPU_COUNT(&set);
    return n > limit ? limit : n;
}
