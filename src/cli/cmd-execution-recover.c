#include "cli/commands.h"
#include "execution/recover.h"

static int run(struct call *call, struct error *err)
{
    return recover_all(call->firn, err);
}

const struct command command_execution_recover = {
    .paths = {"execution recover"},
    .usage = "",
    .help = "Let executions go on whose machine was restarted",
    .run = run,
};
