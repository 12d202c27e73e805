#include "cli/commands.h"
#include "cli/each.h"
#include "container/remove.h"

struct rm_options {
    bool all, latest, force, ignore, volumes, depend;
    uint64_t time;
    char **cidfiles, **filters;
};

#define RM(field) offsetof(struct rm_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, RM(all), .help = "Remove all containers"},
    {"cidfile", 0, OPTION_STRINGS, RM(cidfiles), "stringArray",
     "Read the container ID from the file"},
    {"depend", 0, OPTION_BOOL, RM(depend),
     .help = "Remove container and all containers that depend on the selected container"},
    {"filter", 0, OPTION_LIST, RM(filters), "strings", "Filter output based on conditions given"},
    {"force", 'f', OPTION_BOOL, RM(force),
     .help = "Force removal of a running or unusable container"},
    {"ignore", 'i', OPTION_BOOL, RM(ignore),
     .help = "Ignore errors when a specified container is missing"},
    {"latest", 'l', OPTION_BOOL, RM(latest),
     .help = "Act on the latest container firn is aware of"},
    {"time", 't', OPTION_UINT, RM(time), "uint",
     "Seconds to wait for stop before killing the container (default 10)"},
    {"volumes", 'v', OPTION_BOOL, RM(volumes),
     .help = "Remove anonymous volumes associated with the container"},
    {0},
};

static int remove_one(struct container *c, const void *context, struct error *err)
{
    return container_remove(c, context, err);
}

static int run(struct call *call, struct error *err)
{
    const struct rm_options *o = call->options;
    struct remove_options options = {
        .force = o->force,
        .volumes = o->volumes,
        .timeout_seconds = option_given(call->given, "time") ? (int)o->time : -1,
    };
    if (option_given(call->given, "time") && !o->force)
        return error_kind_set(err, ERROR_USAGE,
                              "--force option must be specified to use the "
                              "--time option");
    struct each e = {
        .all = o->all || o->filters,
        .latest = o->latest,
        .cidfiles = o->cidfiles,
        .filters = o->filters,
        .ignore_missing = o->ignore || o->force,
        .act = remove_one,
        .context = &options,
    };
    return each_container(call, &e, err);
}

const struct command command_rm = {
    .paths = {"rm", "container rm"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Remove one or more containers",
    .options = table,
    .options_size = sizeof(struct rm_options),
    .args_most = ARGS_ANY,
    .flags = COMMAND_RM_CODES,
    .run = run,
};
