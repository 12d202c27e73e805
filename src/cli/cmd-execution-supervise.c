#include "cli/commands.h"
#include "execution/supervisor.h"

static int run(struct call *call, struct error *err)
{
    _cleanup_execution_ struct execution *e = NULL;
    int r = execution_lookup(call->firn, call->args[0], &e, err);
    if (r == 0)
        r = supervise(e, err);
    return r < 0 ? r : 0;
}

const struct command command_execution_supervise = {
    .paths = {"execution supervise"},
    .usage = "EXECUTION",
    .help = "See to an execution until it is over",
    .args_least = 1,
    .args_most = 1,
    .flags = COMMAND_HIDDEN,
    .run = run,
};
