#include "cli/commands.h"
#include "cli/each-execution.h"
#include "execution/logs.h"

struct logs_command_options {
    bool follow, timestamps;
    int64_t tail;
};

#define LOGS(field) offsetof(struct logs_command_options, field)

static const struct option table[] = {
    {"follow", 'f', OPTION_BOOL, LOGS(follow),
     .help = "Follow the output until the execution is over"},
    {"tail", 0, OPTION_INT, LOGS(tail), "int",
     "Output the specified number of LINES at the end of the logs.", .initial = "-1"},
    {"timestamps", 't', OPTION_BOOL, LOGS(timestamps), .help = "Output the timestamps in the log"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct logs_command_options *o = call->options;
    _cleanup_execution_ struct execution *e = NULL;
    struct logs_options logs = LOGS_OPTIONS_INIT;
    logs.timestamps = o->timestamps;
    logs.tail = o->tail;
    logs.follow = o->follow;
    int r = one_execution(call, &e, err);
    return r < 0 ? r : execution_logs(e, &logs, err);
}

const struct command command_execution_logs = {
    .paths = {"execution logs"},
    .usage = "[options] EXECUTION",
    .help = "Print what the worker of an execution has written",
    .options = table,
    .options_size = sizeof(struct logs_command_options),
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
