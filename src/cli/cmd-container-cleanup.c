#include "cli/commands.h"
#include "cli/each.h"
#include "container/cleanup.h"

struct cleanup_command_options {
    bool all, latest, remove, stopped_only;
    char *exec;
};

#define CLEANUP(field) offsetof(struct cleanup_command_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, CLEANUP(all), .help = "Cleans up all containers"},
    {"exec", 0, OPTION_STRING, CLEANUP(exec), "string",
     "Clean up the given exec session instead of the container"},
    {"latest", 'l', OPTION_BOOL, CLEANUP(latest),
     .help = "Act on the latest container firn is aware of"},
    {"rm", 0, OPTION_BOOL, CLEANUP(remove), .help = "After cleanup, remove the container entirely"},
    {"rmi", 0, OPTION_UNSUPPORTED, 0},
    {"stopped-only", 0, OPTION_BOOL, CLEANUP(stopped_only)},
    {0},
};

static int clean_one(struct container *c, const void *context, struct error *err)
{
    const struct cleanup_command_options *o = context;
    struct cleanup_options options = {.remove = o->remove, .exec = o->exec};
    return container_cleanup(c, &options, err);
}

static int run(struct call *call, struct error *err)
{
    const struct cleanup_command_options *o = call->options;
    if (o->exec && o->remove)
        return error_kind_set(err, ERROR_USAGE, "exec and rm options conflict");
    if (o->exec && (o->all || o->latest || call->arg_count != 1))
        return error_kind_set(err, ERROR_USAGE, "exec must be used with exactly one container");
    struct each e = {
        .all = o->all,
        .latest = o->latest,
        .wanted = wanted_stopped,
        .ignore_missing = true,
        .act = clean_one,
        .context = o,
    };
    return each_container(call, &e, err);
}

const struct command command_container_cleanup = {
    .paths = {"container cleanup"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Clean up network and mountpoints of one or more containers",
    .options = table,
    .options_size = sizeof(struct cleanup_command_options),
    .args_most = ARGS_ANY,
    .run = run,
};
