#include "cli/commands.h"
#include "cli/each.h"
#include "container/start.h"
#include "container/stop.h"

struct restart_options {
    bool all, latest, running;
    uint64_t time;
    char **cidfiles, **filters;
};

#define RESTART(field) offsetof(struct restart_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, RESTART(all), .help = "Restart all non-running containers"},
    {"cidfile", 0, OPTION_STRINGS, RESTART(cidfiles), "stringArray",
     "Read the container ID from the file"},
    {"filter", 'f', OPTION_LIST, RESTART(filters), "strings",
     "Filter output based on conditions given"},
    {"latest", 'l', OPTION_BOOL, RESTART(latest),
     .help = "Act on the latest container firn is aware of"},
    {"running", 0, OPTION_BOOL, RESTART(running), .help = "Restart only running containers"},
    {"time", 't', OPTION_UINT, RESTART(time), "uint",
     "Seconds to wait for stop before killing the container (default 10)"},
    {0},
};

static int restart_one(struct container *c, const void *context, struct error *err)
{
    int r = container_stop(c, *(const int *)context, err);
    if (r >= 0)
        r = container_start(c, err);
    return r < 0 ? r : 0;
}

static int run(struct call *call, struct error *err)
{
    const struct restart_options *o = call->options;
    int seconds = option_given(call->given, "time") ? (int)o->time : -1;
    struct each e = {
        .all = o->all || o->running || o->filters,
        .latest = o->latest,
        .cidfiles = o->cidfiles,
        .filters = o->filters,
        .wanted = o->running ? wanted_running : NULL,
        .act = restart_one,
        .context = &seconds,
    };
    return each_container(call, &e, err);
}

const struct command command_restart = {
    .paths = {"restart", "container restart"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Restart one or more containers",
    .options = table,
    .options_size = sizeof(struct restart_options),
    .args_most = ARGS_ANY,
    .run = run,
};
