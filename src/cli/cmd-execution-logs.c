#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/each-execution.h"
#include "container/container.h"
#include "container/logs.h"

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

/* The container goes and comes: its log travels with its checkpoint. */
static int follow(struct execution *e, struct logs_options *o, struct error *err)
{
    int r = 0;
    while (r == 0) {
        _cleanup_container_ struct container *c = NULL;
        r = execution_refresh(e, err);
        bool over = r == 0 && execution_is_over(e);
        if (r == 0 && container_lookup(e->firn, e->id, &c, NULL) == 0)
            r = container_logs(c, o, err);
        if (r < 0 || over)
            return r;
        o->since = now_ns();
        o->tail = -1;
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return r;
}

/* It is away for a moment while it is brought back. */
static int find_container(struct execution *e, struct container **ret, struct error *err)
{
    int r = container_lookup(e->firn, e->id, ret, err);
    for (int i = 0; r == -ENOENT && i < 500 && !execution_is_over(e); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        if (execution_refresh(e, err) < 0)
            break;
        r = container_lookup(e->firn, e->id, ret, err);
    }
    return r;
}

static int run(struct call *call, struct error *err)
{
    const struct logs_command_options *o = call->options;
    _cleanup_execution_ struct execution *e = NULL;
    _cleanup_container_ struct container *c = NULL;
    struct logs_options logs = LOGS_OPTIONS_INIT;
    logs.timestamps = o->timestamps;
    logs.tail = o->tail;
    logs.follow = o->follow;
    int r = one_execution(call, &e, err);
    if (r == 0 && o->follow)
        return follow(e, &logs, err);
    if (r == 0)
        r = find_container(e, &c, err);
    return r < 0 ? r : container_logs(c, &logs, err);
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
