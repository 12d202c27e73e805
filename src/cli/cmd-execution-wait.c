#include "cli/commands.h"
#include "cli/each-execution.h"
#include "execution/control.h"

static int wait_for(struct execution *e, const void *context, struct error *err)
{
    int r = control_wait(e, err);
    return r < 0 ? r : e->exit_code;
}

static int run(struct call *call, struct error *err)
{
    const struct each_execution each = {.act = wait_for, .print_results = true};
    return each_execution(call, &each, err);
}

const struct command command_execution_wait = {
    .paths = {"execution wait"},
    .usage = "EXECUTION [EXECUTION...]",
    .help = "Wait until executions are over and print their exit codes",
    .args_most = ARGS_ANY,
    .run = run,
};
