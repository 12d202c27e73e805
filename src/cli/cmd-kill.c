#include "cli/commands.h"
#include "cli/each.h"
#include "container/kill.h"
#include "container/signals.h"

struct kill_options {
    bool all, latest;
    char *signal;
    char **cidfiles;
};

#define KILL(field) offsetof(struct kill_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, KILL(all), .help = "Signal all running containers"},
    {"cidfile", 0, OPTION_STRINGS, KILL(cidfiles), "stringArray",
     "Read the container ID from the file"},
    {"latest", 'l', OPTION_BOOL, KILL(latest),
     .help = "Act on the latest container firn is aware of"},
    {"signal", 's', OPTION_STRING, KILL(signal), "string", "Signal to send to the container",
     .initial = "KILL"},
    {0},
};

static int kill_one(struct container *c, const void *context, struct error *err)
{
    return container_kill(c, *(const int *)context, err);
}

static int run(struct call *call, struct error *err)
{
    const struct kill_options *o = call->options;
    int signal = signal_parse(o->signal, err);
    if (signal < 0)
        return signal;
    struct each e = {
        .all = o->all,
        .latest = o->latest,
        .cidfiles = o->cidfiles,
        .wanted = wanted_alive,
        .act = kill_one,
        .context = &signal,
    };
    return each_container(call, &e, err);
}

const struct command command_kill = {
    .paths = {"kill", "container kill"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Kill one or more running containers with a specific signal",
    .options = table,
    .options_size = sizeof(struct kill_options),
    .args_most = ARGS_ANY,
    .run = run,
};
