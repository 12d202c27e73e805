#include "base/userns.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

struct range {
    unsigned inside, outside, count;
};

static bool read_range(const char *path, unsigned wanted, struct range *ret)
{
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    struct range r;
    while (f && fscanf(f, "%u %u %u", &r.inside, &r.outside, &r.count) == 3)
        if (wanted >= r.inside && wanted - r.inside < r.count) {
            *ret = r;
            return true;
        }
    return false;
}

bool userns_is_host_root(void)
{
    struct range r;
    return geteuid() == 0 && read_range("/proc/self/uid_map", 0, &r) && r.inside == 0 &&
           r.outside == 0 && r.count == UINT_MAX;
}

uid_t userns_owner(void)
{
    struct range r;
    uid_t uid = geteuid();
    return read_range("/proc/self/uid_map", uid, &r) ? r.outside + (uid - r.inside) : uid;
}

bool userns_has_many_ids(void)
{
    struct range r;
    return read_range("/proc/self/uid_map", 1, &r) && read_range("/proc/self/gid_map", 1, &r);
}
