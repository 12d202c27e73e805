#include "cli/commands.h"
#include "cli/each.h"
#include "container/pause.h"

struct pause_options {
    bool all, latest;
    char **cidfiles, **filters;
};

#define PAUSE(field) offsetof(struct pause_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, PAUSE(all), .help = "Pause all running containers"},
    {"cidfile", 0, OPTION_STRINGS, PAUSE(cidfiles), "stringArray",
     "Read the container ID from the file"},
    {"filter", 'f', OPTION_LIST, PAUSE(filters), "strings",
     "Filter output based on conditions given"},
    {"latest", 'l', OPTION_BOOL, PAUSE(latest),
     .help = "Act on the latest container firn is aware of"},
    {0},
};

static int pause_one(struct container *c, const void *context, struct error *err)
{
    return container_pause(c, err);
}

static int run(struct call *call, struct error *err)
{
    const struct pause_options *o = call->options;
    struct each e = {
        .all = o->all || o->filters,
        .latest = o->latest,
        .cidfiles = o->cidfiles,
        .filters = o->filters,
        .wanted = wanted_running,
        .act = pause_one,
    };
    return each_container(call, &e, err);
}

const struct command command_pause = {
    .paths = {"pause", "container pause"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Pause all the processes in one or more containers",
    .options = table,
    .options_size = sizeof(struct pause_options),
    .args_most = ARGS_ANY,
    .run = run,
};
