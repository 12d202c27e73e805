#include <stdio.h>

#include "cli/commands.h"
#include "cli/execution-options.h"
#include "execution/recover.h"

static const struct option table[] = {
    {.type = OPTION_TABLE, .table = execution_table, .offset = 0},
    {0},
};

static int run(struct call *call, struct error *err)
{
    struct start_options start;
    _cleanup_execution_ struct execution *e = NULL;
    int r = execution_options_make(call->options, &start, err);
    if (r == 0)
        r = recover_all(call->firn, err);
    if (r == 0)
        r = execution_restore(call->firn, call->args[0], &start, &e, err);
    if (r < 0)
        return r;
    printf("%s\n", e->id);
    return 0;
}

const struct command command_execution_restore = {
    .paths = {"execution restore"},
    .usage = "[options] CHECKPOINT",
    .help = "Let the execution of a checkpoint file go on here",
    .options = table,
    .options_size = sizeof(struct execution_options),
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
