#include "cli/commands.h"
#include "cli/each.h"
#include "container/pause.h"

struct unpause_options {
    bool all, latest;
    char **cidfiles, **filters;
};

#define UNPAUSE(field) offsetof(struct unpause_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, UNPAUSE(all), .help = "Unpause all paused containers"},
    {"cidfile", 0, OPTION_STRINGS, UNPAUSE(cidfiles), "stringArray",
     "Read the container ID from the file"},
    {"filter", 'f', OPTION_LIST, UNPAUSE(filters), "strings",
     "Filter output based on conditions given"},
    {"latest", 'l', OPTION_BOOL, UNPAUSE(latest),
     .help = "Act on the latest container firn is aware of"},
    {0},
};

static int unpause_one(struct container *c, const void *context, struct error *err)
{
    return container_unpause(c, err);
}

static int run(struct call *call, struct error *err)
{
    const struct unpause_options *o = call->options;
    struct each e = {
        .all = o->all || o->filters,
        .latest = o->latest,
        .cidfiles = o->cidfiles,
        .filters = o->filters,
        .wanted = wanted_paused,
        .act = unpause_one,
    };
    return each_container(call, &e, err);
}

const struct command command_unpause = {
    .paths = {"unpause", "container unpause"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Unpause the processes in one or more containers",
    .options = table,
    .options_size = sizeof(struct unpause_options),
    .args_most = ARGS_ANY,
    .run = run,
};
