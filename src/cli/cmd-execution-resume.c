#include "cli/commands.h"
#include "cli/each-execution.h"
#include "execution/control.h"

static int resume(struct execution *e, const void *context, struct error *err)
{
    return control_ask(e, "POST", "/resume", NULL, NULL, err);
}

static int run(struct call *call, struct error *err)
{
    const struct each_execution each = {.act = resume};
    return each_execution(call, &each, err);
}

const struct command command_execution_resume = {
    .paths = {"execution resume"},
    .usage = "EXECUTION [EXECUTION...]",
    .help = "Let suspended executions go on now",
    .args_most = ARGS_ANY,
    .run = run,
};
