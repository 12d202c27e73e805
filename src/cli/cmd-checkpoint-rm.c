#include "cli/commands.h"
#include "cli/each.h"
#include "container/checkpoints.h"

struct rm_options {
    bool all, force;
};

#define RM(field) offsetof(struct rm_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, RM(all), .help = "Remove the local checkpoints of all containers"},
    {"force", 'f', OPTION_BOOL, RM(force),
     .help = "Also one that its container needs to go on: it can then only begin anew"},
    {0},
};

static int act(struct container *c, const void *context, struct error *err)
{
    const struct rm_options *o = context;
    if (o->all && !checkpoint_exists(c))
        return 1;
    return checkpoint_remove(c, o->force, err);
}

static int run(struct call *call, struct error *err)
{
    const struct rm_options *o = call->options;
    const struct each e = {.all = o->all, .act = act, .context = o};
    return each_container(call, &e, err);
}

const struct command command_checkpoint_rm = {
    .paths = {"checkpoint rm", "checkpoint remove"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Remove the local checkpoints of containers",
    .options = table,
    .options_size = sizeof(struct rm_options),
    .args_most = ARGS_ANY,
    .run = run,
};
