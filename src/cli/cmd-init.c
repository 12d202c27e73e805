#include "cli/commands.h"
#include "cli/each.h"
#include "container/start.h"

struct init_options {
    bool all, latest;
};

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, offsetof(struct init_options, all),
     .help = "Initialize all containers"},
    {"latest", 'l', OPTION_BOOL, offsetof(struct init_options, latest),
     .help = "Act on the latest container firn is aware of"},
    {0},
};

static int init_one(struct container *c, const void *context, struct error *err)
{
    return container_init(c, err);
}

static bool wanted_created(enum container_state state)
{
    return state == CONTAINER_CREATED;
}

static int run(struct call *call, struct error *err)
{
    const struct init_options *o = call->options;
    struct each e = {
        .all = o->all,
        .latest = o->latest,
        .wanted = wanted_created,
        .act = init_one,
    };
    return each_container(call, &e, err);
}

const struct command command_init = {
    .paths = {"init", "container init"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Initialize one or more containers",
    .options = table,
    .options_size = sizeof(struct init_options),
    .args_most = ARGS_ANY,
    .run = run,
};
