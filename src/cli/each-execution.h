/* Commands that do one thing to each of [--all | EXECUTION...]. Executions that have lost their
 * supervisor get one first. */
#pragma once

#include "cli/command.h"
#include "execution/execution.h"

struct each_execution {
    bool all;
    bool only_over;     /* with all: those that are over alone */
    bool quiet;         /* do not echo the id */
    bool print_results; /* print what `act` returns instead */
    int (*act)(struct execution *e, const void *context, struct error *err);
    const void *context;
};

int each_execution(struct call *call, const struct each_execution *each, struct error *err);
/* Finds the one that is named by the first argument. */
int one_execution(struct call *call, struct execution **ret, struct error *err);
