#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "cli/report.h"
#include "container/stats.h"

struct stats_command_options {
    bool all, latest, no_reset, no_stream, no_trunc;
    uint64_t interval;
    char *format;
};

#define STATS(field) offsetof(struct stats_command_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, STATS(all),
     .help = "Show all containers. Only running containers are shown by default."},
    {"format", 0, OPTION_STRING, STATS(format), "string",
     "Pretty-print container statistics to JSON or using a Go template"},
    {"interval", 'i', OPTION_UINT, STATS(interval), "int", "Time in seconds between stats reports",
     .initial = "5"},
    {"latest", 'l', OPTION_BOOL, STATS(latest),
     .help = "Act on the latest container firn is aware of"},
    {"no-reset", 0, OPTION_BOOL, STATS(no_reset),
     .help = "Disable resetting the screen between intervals"},
    {"no-stream", 0, OPTION_BOOL, STATS(no_stream),
     .help = "Disable streaming stats and only pull the first result"},
    {"no-trunc", 0, OPTION_BOOL, STATS(no_trunc), .help = "Do not truncate output"},
    {0},
};

static const char *const fields[] = {"ID",      "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO",
                                     "BlockIO", "PIDS", "UpTime",  "AVGCPU",   NULL};

static const struct report_header headers[] = {
    {"ID", "ID"},         {"CPUPerc", "CPU %"},   {"MemUsage", "MEM USAGE / LIMIT"},
    {"MemPerc", "MEM %"}, {"NetIO", "NET IO"},    {"BlockIO", "BLOCK IO"},
    {"PIDS", "PIDS"},     {"UpTime", "CPU TIME"}, {"AVGCPU", "AVG CPU %"},
    {NULL, NULL}};

static const struct report report = {{"stats", "containers.containerStats"}, fields, headers};

#define TABLE                                                                                      \
    "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t"            \
    "{{.BlockIO}}\t{{.PIDS}}\t{{.UpTime}}\t{{.AVGCPU}}"

/* A container that is watched, and what the last look showed. */
struct watched {
    char *id;
    struct container_stats last;
};

struct watch {
    struct watched *items;
    size_t count, room;
};

static void watch_clear(struct watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i].id);
    free(w->items);
}

static struct container_stats *last_of(struct watch *w, const char *id)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->items[i].id, id) == 0)
            return &w->items[i].last;
    array_reserve(w->items, w->count, w->room);
    w->items[w->count] = (struct watched){.id = xstrdup(id)};
    return &w->items[w->count++].last;
}

/* ---- rows ---- */

static struct json *two(uint64_t a, uint64_t b)
{
    _cleanup_free_ char *x = size_compact(a), *y = size_compact(b);
    _cleanup_free_ char *text = a || b ? xasprintf("%s / %s", x, y) : xstrdup("-- / --");
    return js_string(text);
}

static struct json *percent(double v)
{
    _cleanup_free_ char *text = xasprintf("%.2f%%", v);
    return js_string(text);
}

static struct json *number(uint64_t v)
{
    _cleanup_free_ char *text = v ? xasprintf("%llu", (unsigned long long)v) : xstrdup("--");
    return js_string(text);
}

static struct json *cpu_time(uint64_t ns)
{
    _cleanup_free_ char *text = duration_go((int64_t)ns);
    return js_string(text);
}

/* `keys`: ten names in the order of `fields`. */
static struct json *make_row(const struct container *c, const struct container_stats *s, bool whole,
                             const char *const *keys)
{
    struct json *row = js_object();
    _cleanup_free_ char *id = xstrndup(c->id, whole ? 64 : 12);
    js_set(row, keys[0], js_string(id));
    js_set(row, keys[1], js_string(c->name));
    js_set(row, keys[2], percent(s->cpu_percent));
    js_set(row, keys[3], two(s->memory, s->memory_limit));
    js_set(row, keys[4], percent(s->memory_percent));
    js_set(row, keys[5], two(s->net_in, s->net_out));
    js_set(row, keys[6], two(s->block_in, s->block_out));
    js_set(row, keys[7], number(s->pids));
    js_set(row, keys[8], cpu_time(s->cpu));
    js_set(row, keys[9], percent(s->average_percent));
    return row;
}

static int collect(struct call *call, const struct stats_command_options *o, struct watch *w,
                   struct json *rows, struct error *err)
{
    static const char *const json_keys[] = {"id",          "name",   "cpu_percent", "mem_usage",
                                            "mem_percent", "net_io", "block_io",    "pids",
                                            "cpu_time",    "avg_cpu"};
    bool every = o->all || (!o->latest && !call->arg_count);
    struct each e = {.all = every, .latest = o->latest, .wanted = wanted_alive};
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    int r = each_select(call, &e, &list, &names, err);
    for (size_t i = 0; r >= 0 && i < list.count; i++) {
        struct error one = {0};
        struct container_stats s, *last = last_of(w, list.items[i]->id);
        if (container_stats(list.items[i], last, &s, &one) < 0) {
            if (every && one.kind == ERROR_STATE)
                continue; /* ended meanwhile */
            *err = one;
            return -one.code;
        }
        *last = s;
        bool json = report_is_json(o->format);
        js_push(rows, make_row(list.items[i], &s, o->no_trunc, json ? json_keys : fields));
    }
    return r;
}

static int show(struct call *call, struct watch *w, struct error *err)
{
    const struct stats_command_options *o = call->options;
    _cleanup_json_ struct json *rows = js_array();
    int r = collect(call, o, w, rows, err);
    if (r < 0)
        return r;
    if (!o->no_stream && !o->no_reset && isatty(STDOUT_FILENO))
        printf("\x1b[H\x1b[2J");
    if (report_is_json(o->format))
        report_json(rows, 1);
    else
        r = report_print(&report, o->format ? o->format : TABLE, false, rows, err);
    fflush(stdout);
    return r;
}

static int run(struct call *call, struct error *err)
{
    const struct stats_command_options *o = call->options;
    _cleanup_(watch_clear) struct watch w = {0};
    if (o->interval == 0)
        return error_kind_set(err, ERROR_USAGE,
                              "invalid interval, must be a positive number "
                              "greater zero");
    if ((o->all && o->latest) || ((o->all || o->latest) && call->arg_count))
        return error_kind_set(err, ERROR_USAGE,
                              "--all, --latest and containers cannot be used together");
    int r = show(call, &w, err);
    while (r >= 0 && !o->no_stream && !ferror(stdout)) {
        sleep((unsigned)o->interval);
        r = show(call, &w, err);
    }
    return r < 0 ? r : 0;
}

const struct command command_stats = {
    .paths = {"stats", "container stats"},
    .usage = "[options] [CONTAINER...]",
    .help = "Display a live stream of container resource usage statistics",
    .options = table,
    .options_size = sizeof(struct stats_command_options),
    .args_most = ARGS_ANY,
    .run = run,
};
