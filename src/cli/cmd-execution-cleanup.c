#include "cli/commands.h"
#include "cli/each-execution.h"
#include "execution/cleanup.h"

struct cleanup_options {
    bool all, force;
};

#define CLEANUP(field) offsetof(struct cleanup_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, CLEANUP(all), .help = "All that are over; with --force all"},
    {"force", 'f', OPTION_BOOL, CLEANUP(force), .help = "Kill what is not over yet"},
    {0},
};

static int clean(struct execution *e, const void *context, struct error *err)
{
    return execution_cleanup(e, *(const bool *)context, err);
}

static int run(struct call *call, struct error *err)
{
    const struct cleanup_options *o = call->options;
    const struct each_execution each = {
        .all = o->all, .only_over = !o->force, .act = clean, .context = &o->force};
    return each_execution(call, &each, err);
}

const struct command command_execution_cleanup = {
    .paths = {"execution cleanup", "execution rm"},
    .usage = "[options] EXECUTION [EXECUTION...]",
    .help = "Remove executions that are over, with their containers and checkpoints",
    .options = table,
    .options_size = sizeof(struct cleanup_options),
    .args_most = ARGS_ANY,
    .run = run,
};
