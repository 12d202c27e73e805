/* What containers use, once or again and again. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/containers.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/stats.h"

struct stats_query {
    char **containers;
    bool stream, one_shot, all;
    int64_t interval;
};
static const struct option stats_query[] = {
    {"containers", 0, OPTION_STRINGS, offsetof(struct stats_query, containers)},
    {"stream", 0, OPTION_BOOL, offsetof(struct stats_query, stream), .initial = "true"},
    {"one-shot", 0, OPTION_BOOL, offsetof(struct stats_query, one_shot)},
    {"all", 0, OPTION_BOOL, offsetof(struct stats_query, all)},
    {"interval", 0, OPTION_INT, offsetof(struct stats_query, interval), .initial = "5"},
    {0},
};

/* One that is watched, and what the last look showed. */
struct watched {
    struct container *c;
    struct container_stats last;
};

struct watch {
    struct container_list list;
    struct watched *items;
};

static void watch_clear(struct watch *w)
{
    container_list_free(&w->list);
    free(w->items);
}

/* ---- Podman's ---- */

static struct json *libpod_row(const struct container *c, const struct container_stats *s)
{
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"CPUNano", s->cpu},
        {"CPUSystemNano", s->system},
        {"SystemNano", (uint64_t)s->time},
        {"MemUsage", s->memory},
        {"MemLimit", s->memory_limit},
        {"NetInput", s->net_in},
        {"NetOutput", s->net_out},
        {"BlockInput", s->block_in},
        {"BlockOutput", s->block_out},
        {"PIDs", s->pids},
        {"UpTime", s->cpu},
        {"Duration", s->cpu},
    };
    struct json *o = js_object();
    js_set(o, "AvgCPU", js_real(s->average_percent));
    js_set(o, "ContainerID", js_string(c->id));
    js_set(o, "Name", js_string(c->name));
    js_set(o, "PerCPU", js_null());
    js_set(o, "CPU", js_real(s->cpu_percent));
    js_set(o, "MemPerc", js_real(s->memory_percent));
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        js_set(o, numbers[i].key, js_int((int64_t)numbers[i].value));
    return o;
}

/* What has been asked for by name must run; of all others, those that do are shown. */
static int open_watch(struct request *r, struct watch *w, struct error *err)
{
    const struct stats_query *q = r->options;
    int e = 0;
    STRV_FOREACH(name, q->containers)
    {
        struct container *c = NULL;
        if ((e = container_lookup(r->firn, *name, &c, err)) < 0)
            return e;
        container_list_add(&w->list, c);
    }
    if (!q->containers)
        e = container_list_all(r->firn, &w->list, err);
    w->items = xcalloc(w->list.count + 1, sizeof(*w->items));
    for (size_t i = 0; i < w->list.count; i++)
        w->items[i].c = w->list.items[i];
    return e;
}

static int look(struct request *r, struct watch *w, struct json **ret, struct error *err)
{
    const struct stats_query *q = r->options;
    _cleanup_json_ struct json *rows = js_array();
    for (size_t i = 0; i < w->list.count; i++) {
        struct error one = {0};
        struct container_stats now;
        struct watched *item = &w->items[i];
        if (container_stats(item->c, &item->last, &now, &one) >= 0) {
            item->last = now;
            js_push(rows, libpod_row(item->c, &now));
        } else if (q->containers || one.kind != ERROR_STATE) {
            *err = one;
            return -one.code;
        }
    }
    struct json *o = js_object();
    js_set(o, "Error", js_null());
    js_set(o, "Stats", js_ref(rows));
    *ret = o;
    return 0;
}

static int stats_libpod(struct request *r, struct reply *reply, struct error *err)
{
    const struct stats_query *q = r->options;
    _cleanup_(watch_clear) struct watch w = {0};
    _cleanup_json_ struct json *o = NULL;
    int e = open_watch(r, &w, err);
    if (e >= 0)
        e = look(r, &w, &o, err);
    if (e < 0 || !q->stream)
        return e < 0 ? e : reply_json(reply, 200, o, err);
    e = reply_stream(reply, 200, "application/json", err);
    while (e >= 0 && (e = reply_line(reply, o, err)) >= 0) {
        sleep(q->interval > 0 ? (unsigned)q->interval : 1);
        js_unref(take_ptr(o));
        if (look(r, &w, &o, NULL) < 0)
            return 0; /* it has ended */
    }
    return e;
}

/* ---- Docker's ---- */

/* Processor time of the whole machine, ns. */
static int64_t system_time(void)
{
    char line[256];
    long long v[8] = {0}, sum = 0;
    if (file_read_line("/proc/stat", line, sizeof(line)) < 0)
        return 0;
    int n = sscanf(line, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &v[0], &v[1], &v[2], &v[3],
                   &v[4], &v[5], &v[6], &v[7]);
    for (int i = 0; i < n; i++)
        sum += v[i];
    return sum * (1000000000 / sysconf(_SC_CLK_TCK));
}

static struct json *cpu_stats(const struct container_stats *s, int64_t system)
{
    struct json *o = js_object(), *usage = js_object();
    js_set(usage, "total_usage", js_int((int64_t)s->cpu));
    js_set(usage, "usage_in_kernelmode", js_int((int64_t)s->system));
    js_set(usage, "usage_in_usermode",
           js_int((int64_t)(s->cpu > s->system ? s->cpu - s->system : 0)));
    js_set(o, "cpu_usage", usage);
    js_set(o, "system_cpu_usage", js_int(system));
    js_set(o, "online_cpus", js_int(sysconf(_SC_NPROCESSORS_ONLN)));
    return o;
}

static struct json *block_entry(const char *op, uint64_t value)
{
    struct json *o = js_object();
    js_set(o, "major", js_int(0));
    js_set(o, "minor", js_int(0));
    js_set(o, "op", js_string(op));
    js_set(o, "value", js_int((int64_t)value));
    return o;
}

static struct json *docker_row(const struct container *c, const struct container_stats *before,
                               const struct container_stats *now, int64_t system_before,
                               int64_t system)
{
    struct json *o = js_object(), *memory = js_object(), *pids = js_object(), *block = js_object();
    struct json *entries = js_array(), *network = js_object(), *networks = js_object();
    _cleanup_free_ char *name = xasprintf("/%s", c->name);
    _cleanup_free_ char *read = time_rfc3339(now->time), *preread = time_rfc3339(before->time);
    js_set(o, "id", js_string(c->id));
    js_set(o, "name", js_string(name));
    js_set(o, "read", js_string(read));
    js_set(o, "preread", js_string(preread));
    js_set(o, "cpu_stats", cpu_stats(now, system));
    js_set(o, "precpu_stats", cpu_stats(before, system_before));
    js_set(memory, "usage", js_int((int64_t)now->memory));
    js_set(memory, "limit", js_int((int64_t)now->memory_limit));
    js_set(memory, "stats", js_object());
    js_set(o, "memory_stats", memory);
    js_set(pids, "current", js_int((int64_t)now->pids));
    js_set(o, "pids_stats", pids);
    js_push(entries, block_entry("read", now->block_in));
    js_push(entries, block_entry("write", now->block_out));
    js_set(block, "io_service_bytes_recursive", entries);
    js_set(o, "blkio_stats", block);
    js_set(network, "rx_bytes", js_int((int64_t)now->net_in));
    js_set(network, "tx_bytes", js_int((int64_t)now->net_out));
    js_set(networks, "eth0", network);
    js_set(o, "networks", networks);
    js_set(o, "num_procs", js_int(0));
    return o;
}

static int stats_docker(struct request *r, struct reply *reply, struct error *err)
{
    const struct stats_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    struct container_stats before = {0}, now = {0};
    int64_t system = system_time(), system_before = system;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_stats(c, &before, &now, err);
    if (e >= 0)
        e = reply_stream(reply, 200, "application/json", err);
    /* A rate needs two looks; the first, sent at once, is compared with nothing. */
    bool first = q->stream || q->one_shot;
    while (e >= 0) {
        if (first) {
            _cleanup_json_ struct json *row = docker_row(c, &before, &now, system_before, system);
            e = reply_line(reply, row, err);
            if (e < 0 || !q->stream)
                return e;
        }
        if (before.time && !q->stream)
            return 0;
        sleep(1);
        before = now;
        system_before = system;
        system = system_time();
        if (container_stats(c, &before, &now, NULL) < 0)
            return 0; /* it has ended */
        first = true;
    }
    return e;
}

const struct route containers_stats_routes[] = {
    {"GET", API_LIBPOD, "/containers/stats", stats_libpod, OPTIONS(stats_query, stats_query),
     ROUTE_CANCEL},
    {"GET", API_DOCKER, "/containers/{name}/stats", stats_docker, OPTIONS(stats_query, stats_query),
     ROUTE_CANCEL},
    {0},
};
