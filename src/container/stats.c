#include "container/stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/state.h"

/* A file of one number; "max" and what is not there: `otherwise`. */
static uint64_t read_number(const char *directory, const char *name, uint64_t otherwise)
{
    char line[64];
    uint64_t value;
    if (!directory)
        return otherwise;
    _cleanup_free_ char *path = path_join(directory, name);
    if (file_read_line(path, line, sizeof(line)) < 0 || sscanf(line, "%" SCNu64, &value) != 1)
        return otherwise;
    return value;
}

static char *read_text(const char *directory, const char *name)
{
    _cleanup_buf_ struct buf b = {0};
    _cleanup_free_ char *path = directory ? path_join(directory, name) : NULL;
    if (path)
        file_read(path, &b, NULL);
    return buf_take(&b);
}

/* "key 123" on a line of its own. */
static uint64_t keyed(const char *text, const char *key)
{
    size_t n = strlen(key);
    uint64_t value = 0;
    for (const char *at = text; (at = strstr(at, key)); at += n)
        if ((at == text || at[-1] == '\n') && at[n] == ' ' && sscanf(at + n, "%" SCNu64, &value))
            return value;
    return 0;
}

static void read_cpu(const struct container *c, struct container_stats *s)
{
    _cleanup_free_ char *directory = cgroup_directory(c, "cpuacct");
    if (cgroup_mode() == CGROUP_V2) {
        _cleanup_free_ char *text = read_text(directory, "cpu.stat");
        s->cpu = keyed(text, "usage_usec") * 1000;
        s->system = keyed(text, "system_usec") * 1000;
        return;
    }
    s->cpu = read_number(directory, "cpuacct.usage", 0);
    s->system = read_number(directory, "cpuacct.usage_sys", 0);
}

static void read_memory(const struct container *c, struct container_stats *s)
{
    struct sysinfo machine;
    sysinfo(&machine);
    uint64_t all = (uint64_t)machine.totalram * machine.mem_unit;
    bool v2 = cgroup_mode() == CGROUP_V2;
    _cleanup_free_ char *directory = cgroup_directory(c, "memory");
    s->memory = read_number(directory, v2 ? "memory.current" : "memory.usage_in_bytes", 0);
    s->memory_limit =
        read_number(directory, v2 ? "memory.max" : "memory.limit_in_bytes", UINT64_MAX);
    if (s->memory_limit > all)
        s->memory_limit = all;
    s->memory_percent = 100.0 * (double)s->memory / (double)s->memory_limit;
}

/* v2: "8:0 rbytes=1 wbytes=2 ..." */
static void read_io_stat(const char *text, struct container_stats *s)
{
    for (const char *at = text; (at = strstr(at, "bytes=")); at += 6) {
        uint64_t n = strtoull(at + 6, NULL, 10);
        if (at > text && at[-1] == 'r')
            s->block_in += n;
        else if (at > text && at[-1] == 'w')
            s->block_out += n;
    }
}

/* v1: "8:0 Read 1". */
static void read_blkio(const char *text, struct container_stats *s)
{
    _cleanup_strv_ char **lines = strv_split(text, '\n');
    STRV_FOREACH(line, lines)
    {
        char what[16];
        uint64_t n;
        if (sscanf(*line, "%*s %15s %" SCNu64, what, &n) != 2)
            continue;
        if (strcmp(what, "Read") == 0)
            s->block_in += n;
        else if (strcmp(what, "Write") == 0)
            s->block_out += n;
    }
}

static void read_block(const struct container *c, struct container_stats *s)
{
    bool v2 = cgroup_mode() == CGROUP_V2;
    _cleanup_free_ char *directory = cgroup_directory(c, "blkio");
    _cleanup_free_ char *text =
        read_text(directory, v2 ? "io.stat" : "blkio.throttle.io_service_bytes_recursive");
    if (v2)
        read_io_stat(text, s);
    else
        read_blkio(text, s);
}

static bool has_own_network(pid_t init)
{
    struct stat theirs, ours;
    _cleanup_free_ char *path = xasprintf("/proc/%d/ns/net", (int)init);
    return stat(path, &theirs) == 0 && stat("/proc/1/ns/net", &ours) == 0 &&
           theirs.st_ino != ours.st_ino;
}

static void read_network(pid_t init, struct container_stats *s)
{
    _cleanup_free_ char *directory = xasprintf("/proc/%d", (int)init);
    _cleanup_free_ char *text = has_own_network(init) ? read_text(directory, "net/dev") : NULL;
    if (!text)
        return;
    _cleanup_strv_ char **lines = strv_split(text, '\n');
    STRV_FOREACH(line, lines)
    {
        char name[32];
        uint64_t in, out;
        if (sscanf(*line, " %31[^:]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name, &in,
                   &out) != 3 ||
            strcmp(name, "lo") == 0)
            continue;
        s->net_in += in;
        s->net_out += out;
    }
}

static double percent(uint64_t cpu, int64_t time)
{
    return time > 0 ? 100.0 * (double)cpu / (double)time : 0;
}

static void calculate(const struct container_stats *before, struct container_stats *s)
{
    s->average_percent = percent(s->cpu, s->up);
    s->cpu_percent = before->time && s->cpu >= before->cpu
                         ? percent(s->cpu - before->cpu, s->time - before->time)
                         : s->average_percent;
}

int container_stats(struct container *c, const struct container_stats *before,
                    struct container_stats *ret, struct error *err)
{
    struct container_status status;
    int r = container_status(c, &status, err);
    if (r < 0)
        return r;
    if (!container_state_is_alive(status.state))
        return error_kind_set(err, ERROR_STATE,
                              "container %s is not running: container state improper", c->id);
    if (!cgroup_is_used(c))
        return error_kind_set(err, ERROR_USAGE,
                              "there are no statistics of container %s: that needs a cgroup, and "
                              "containers of an ordinary user have none here",
                              c->name);
    struct container_stats s = {.time = now_ns()};
    s.up = s.time - status.started_at;
    read_cpu(c, &s);
    read_memory(c, &s);
    read_block(c, &s);
    read_network(status.init.pid, &s);
    _cleanup_free_ char *pids = cgroup_directory(c, "pids");
    s.pids = read_number(pids, "pids.current", 0);
    calculate(before, &s);
    *ret = s;
    return 0;
}
