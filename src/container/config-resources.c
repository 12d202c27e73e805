/* Limits: the cgroup's and the process's. */
#include "container/draft.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/delegation.h"
#include "container/firn.h"

enum { CPU_PERIOD = 100000, MEMORY_MINIMUM = 4 << 20 };

static int parse_integer(const char *flag, const char *text, int64_t *ret, struct error *err)
{
    char *end;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    if (*text && !*end && !errno)
        return 0;
    return error_kind_set(err, ERROR_USAGE,
                          "invalid argument \"%s\" for \"--%s\" flag: strconv.ParseInt: parsing "
                          "\"%s\": invalid syntax",
                          text, flag, text);
}

/* Size options; "-1" means no limit where that is allowed. */
static int parse_memory(const char *flag, const char *text, bool unlimited_allowed, int64_t *ret,
                        struct error *err)
{
    if (unlimited_allowed && strcmp(text, "-1") == 0) {
        *ret = -1;
        return 0;
    }
    uint64_t size;
    int r = size_parse(text, &size, err);
    if (r < 0)
        return error_wrap(err, "invalid value for %s", flag);
    *ret = (int64_t)size;
    return 0;
}

/* Kernels without swap accounting have no such file; then the limit is dropped, as Podman does. */
static bool swap_accounting(void)
{
    return !path_exists("/sys/fs/cgroup/memory") ||
           path_exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes");
}

static int draft_memory(struct draft *d, struct json *resources, struct error *err)
{
    const struct create_options *o = d->options;
    int64_t limit = 0, swap = 0, reservation = 0;
    int r = o->memory ? parse_memory("memory", o->memory, false, &limit, err) : 0;
    if (r == 0 && o->memory_swap)
        r = parse_memory("memory-swap", o->memory_swap, true, &swap, err);
    if (r == 0 && o->memory_reservation)
        r = parse_memory("memory-reservation", o->memory_reservation, false, &reservation, err);
    if (r < 0)
        return r;
    if (limit && limit < MEMORY_MINIMUM)
        return error_kind_set(err, ERROR_USAGE, "minimum memory limit allowed is 4MB");
    if (swap && !limit)
        return error_kind_set(
            err, ERROR_USAGE,
            "you should always set a memory limit when using a memory swap limit");
    if (swap > 0 && swap < limit)
        return error_kind_set(
            err, ERROR_USAGE,
            "minimum memoryswap limit should be larger than memory limit, see usage");
    if (reservation && limit && reservation > limit)
        return error_kind_set(
            err, ERROR_USAGE,
            "minimum memory limit cannot be less than memory reservation limit, see usage");
    if (!limit && !reservation)
        return 0;
    struct json *memory = draft_object(resources, "memory");
    if (limit)
        js_set(memory, "limit", js_int(limit));
    if (limit && swap_accounting())
        js_set(memory, "swap", js_int(swap ? swap : 2 * limit));
    if (reservation)
        js_set(memory, "reservation", js_int(reservation));
    return 0;
}

static int draft_cpus(struct draft *d, struct json *cpu, struct error *err)
{
    const struct create_options *o = d->options;
    if (!o->cpus)
        return 0;
    char *end;
    double cpus = strtod(o->cpus, &end);
    if (!*o->cpus || *end || !isfinite(cpus))
        return error_kind_set(err, ERROR_USAGE,
                              "invalid argument \"%s\" for \"--cpus\" flag: strconv.ParseFloat: "
                              "parsing \"%s\": invalid syntax",
                              o->cpus, o->cpus);
    if (o->cpu_quota || o->cpu_period)
        return error_kind_set(err, ERROR_USAGE, "--cpus cannot be set together with --cpu-%s",
                              o->cpu_quota ? "quota" : "period");
    if (cpus < 0)
        return error_kind_set(err, ERROR_USAGE, "invalid value for --cpus: %s", o->cpus);
    if (cpus > 0) {
        js_set(cpu, "quota", js_int((int64_t)(cpus * CPU_PERIOD)));
        js_set(cpu, "period", js_int(CPU_PERIOD));
    }
    return 0;
}

static int draft_cpu(struct draft *d, struct json *resources, struct error *err)
{
    const struct create_options *o = d->options;
    _cleanup_json_ struct json *cpu = js_object();
    int r = draft_cpus(d, cpu, err);
    if (r < 0)
        return r;
    const struct {
        const char *flag, *key, *value;
    } numbers[] = {
        {"cpu-shares", "shares", o->cpu_shares},
        {"cpu-period", "period", o->cpu_period},
        {"cpu-quota", "quota", o->cpu_quota},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (!numbers[i].value)
            continue;
        int64_t n;
        r = parse_integer(numbers[i].flag, numbers[i].value, &n, err);
        if (r < 0)
            return r;
        if (n)
            js_set(cpu, numbers[i].key, js_int(n));
    }
    if (o->cpuset_cpus)
        js_set(cpu, "cpus", js_string(o->cpuset_cpus));
    if (o->cpuset_mems)
        js_set(cpu, "mems", js_string(o->cpuset_mems));
    if (js_count(cpu))
        js_set(resources, "cpu", take_ptr(cpu));
    return 0;
}

static int draft_pids(struct draft *d, struct json *resources, struct error *err)
{
    int64_t limit = 2048;
    if (d->options->pids_limit) {
        int r = parse_integer("pids-limit", d->options->pids_limit, &limit, err);
        if (r < 0)
            return r;
    }
    if (limit > 0)
        js_set(draft_object(resources, "pids"), "limit", js_int(limit));
    return 0;
}

static int draft_oom(struct draft *d, struct error *err)
{
    if (!d->options->oom_score_adj)
        return 0;
    int64_t score;
    int r = parse_integer("oom-score-adj", d->options->oom_score_adj, &score, err);
    if (r < 0)
        return r;
    if (score < -1000 || score > 1000)
        return error_kind_set(err, ERROR_USAGE,
                              "invalid value \"%lld\" for --oom-score-adj: must be -1000 to 1000",
                              (long long)score);
    js_set(draft_object(d->spec, "process"), "oomScoreAdj", js_int(score));
    return 0;
}

/* --- rlimits ------------------------------------------------------------------------------- */

static const char *const ulimit_names[] = {
    "as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
    "nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

static bool ulimit_known(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(ulimit_names); i++)
        if (strcmp(ulimit_names[i], name) == 0)
            return true;
    return false;
}

static int parse_limit(const char *text, size_t length, int64_t *ret)
{
    _cleanup_free_ char *copy = xstrndup(text, length);
    char *end;
    *ret = strcmp(copy, "unlimited") == 0 ? -1 : strtoll(copy, &end, 10);
    return strcmp(copy, "unlimited") != 0 && (!*copy || *end) ? -EINVAL : 0;
}

static int add_ulimit(struct json *list, const char *option, struct error *err)
{
    _cleanup_free_ char *name = NULL;
    const char *value = option_split(option, &name);
    int64_t soft = 0, hard = 0;
    int r = value ? 0 : -EINVAL;
    if (r == 0) {
        size_t n = strcspn(value, ":");
        r = parse_limit(value, n, &soft);
        hard = soft;
        if (r == 0 && value[n])
            r = parse_limit(value + n + 1, strlen(value + n + 1), &hard);
    }
    if (r < 0)
        return error_kind_set(err, ERROR_USAGE,
                              "ulimit option \"%s\" requires name=SOFT:HARD, "
                              "failed to be parsed: invalid ulimit argument: %s",
                              option, option);
    if (!ulimit_known(name))
        return error_kind_set(err, ERROR_USAGE,
                              "ulimit option \"%s\" requires name=SOFT:HARD, failed to be parsed: "
                              "invalid ulimit type: %s",
                              option, name);
    if (hard >= 0 && (soft < 0 || soft > hard))
        return error_kind_set(err, ERROR_USAGE,
                              "ulimit option \"%s\" requires name=SOFT:HARD, failed to be parsed: "
                              "ulimit soft limit must be less than or equal to hard limit: %lld > "
                              "%lld",
                              option, (long long)soft, (long long)hard);
    _cleanup_free_ char *type = xasprintf("RLIMIT_%s", name);
    for (char *p = type; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    struct json *o = js_object();
    js_set(o, "type", js_string(type));
    js_set(o, "hard", js_int(hard));
    js_set(o, "soft", js_int(soft));
    js_push(list, o);
    return 0;
}

static int draft_ulimits(struct draft *d, struct error *err)
{
    _cleanup_json_ struct json *list = js_array();
    STRV_FOREACH(option, d->options->ulimits)
    {
        if (strcmp(*option, "host") == 0)
            continue;
        int r = add_ulimit(list, *option, err);
        if (r < 0)
            return r;
    }
    bool host = strv_contains(d->options->ulimits, "host");
    js_set(d->own, "hostUlimits", js_bool(host));
    js_set(draft_object(d->spec, "process"), "rlimits", take_ptr(list));
    return 0;
}

static void warn_of_missing(const struct draft *d)
{
    _cleanup_delegation_ struct delegation here = {0};
    bool delegated = delegation_here(&here);
    _cleanup_json_ struct json *resources = js_copy(js_path(d->spec, "linux", "resources", NULL));
    _cleanup_strv_ char **missing = delegation_fit(resources, here.controllers);
    _cleanup_free_ char *list = strv_join(missing, ", ");
    if (!delegated)
        firn_warn(d->firn, "Resource limits are not applied to containers of an ordinary user: no "
                           "cgroups are delegated to him here; what `systemd-run --user --scope "
                           "-p Delegate=yes COMMAND` starts has some");
    else if (missing)
        firn_warn(d->firn,
                  "Resource limits of these cgroup controllers are not applied, because they are "
                  "not delegated to you: %s",
                  list);
}

static void warn_without_cgroups(const struct draft *d)
{
    const struct create_options *o = d->options;
    const char *const asked[] = {o->memory,     o->memory_swap,  o->memory_reservation,
                                 o->cpus,       o->cpu_shares,   o->cpu_period,
                                 o->cpu_quota,  o->cpuset_cpus,  o->cpuset_mems,
                                 o->pids_limit, o->cgroup_parent};
    for (size_t i = 0; d->firn->rootless && i < ARRAY_LEN(asked); i++)
        if (asked[i]) {
            warn_of_missing(d);
            return;
        }
}

int draft_resources(struct draft *d, struct error *err)
{
    const char *cgroups = d->options->cgroups ? d->options->cgroups : "enabled";
    if (strcmp(cgroups, "enabled") != 0)
        return error_kind_set(err, ERROR_USAGE, "--cgroups %s is not supported: use enabled",
                              cgroups);
    js_set(d->config, "cgroupsMode", js_string(cgroups));
    struct json *resources = draft_object(draft_object(d->spec, "linux"), "resources");
    int r = draft_memory(d, resources, err);
    if (r == 0)
        r = draft_cpu(d, resources, err);
    if (r == 0)
        r = draft_pids(d, resources, err);
    if (r == 0)
        r = draft_oom(d, err);
    if (r == 0)
        r = draft_ulimits(d, err);
    if (r == 0)
        warn_without_cgroups(d);
    return r;
}
