#include "cli/execution-options.h"

#include <stddef.h>

#define EXECUTION(field) offsetof(struct execution_options, field)

const struct option execution_table[] = {
    {"backoff", 0, OPTION_DURATION, EXECUTION(backoff), "duration",
     "Wait so long before a worker that died is brought back; doubles each time", .initial = "1s"},
    {"grace", 0, OPTION_DURATION, EXECUTION(grace), "duration",
     "How long a checkpoint waits for the worker's locks, and the end for the worker",
     .initial = "10s"},
    {"retries", 0, OPTION_INT, EXECUTION(retries), "int",
     "How often in a row the worker may die without a checkpoint in between", .initial = "5"},
    {"store", 0, OPTION_STRING, EXECUTION(store), "directory",
     "Where the checkpoint is kept (default $FIRN_EXECUTION_STORE, "
     "/tmp/checker/podman-checkpoints)"},
    {0},
};

int execution_options_make(const struct execution_options *o, struct start_options *ret,
                           struct error *err)
{
    if (o->retries < 0)
        return error_kind_set(err, ERROR_USAGE, "--retries must not be negative");
    *ret = (struct start_options){
        .store = o->store, .retries = o->retries, .backoff = o->backoff, .grace = o->grace};
    return 0;
}
