#include "cli/commands.h"
#include "cli/each.h"
#include "container/stop.h"

struct stop_options {
    bool all, latest, ignore;
    uint64_t time;
    char **cidfiles, **filters;
};

#define STOP(field) offsetof(struct stop_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, STOP(all), .help = "Stop all running containers"},
    {"cidfile", 0, OPTION_STRINGS, STOP(cidfiles), "stringArray",
     "Read the container ID from the file"},
    {"filter", 'f', OPTION_LIST, STOP(filters), "strings",
     "Filter output based on conditions given"},
    {"ignore", 'i', OPTION_BOOL, STOP(ignore),
     .help = "Ignore errors when a specified container is missing"},
    {"latest", 'l', OPTION_BOOL, STOP(latest),
     .help = "Act on the latest container firn is aware of"},
    {"time", 't', OPTION_UINT, STOP(time), "uint",
     "Seconds to wait for stop before killing the container (default 10)"},
    {0},
};

static int stop_one(struct container *c, const void *context, struct error *err)
{
    int r = container_stop(c, *(const int *)context, err);
    return r < 0 ? r : 0;
}

static int run(struct call *call, struct error *err)
{
    const struct stop_options *o = call->options;
    int seconds = option_given(call->given, "time") ? (int)o->time : -1;
    struct each e = {
        .all = o->all || o->filters,
        .latest = o->latest,
        .cidfiles = o->cidfiles,
        .filters = o->filters,
        .wanted = wanted_alive,
        .ignore_missing = o->ignore,
        .act = stop_one,
        .context = &seconds,
    };
    return each_container(call, &e, err);
}

const struct command command_stop = {
    .paths = {"stop", "container stop"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Stop one or more containers",
    .options = table,
    .options_size = sizeof(struct stop_options),
    .args_most = ARGS_ANY,
    .run = run,
};
