#include "cli/each-execution.h"

#include <stdio.h>

#include "base/strv.h"
#include "cli/failures.h"
#include "execution/recover.h"

static int do_one(struct execution *e, const struct each_execution *each, struct failures *failures)
{
    struct error one = {0};
    int r = each->act(e, each->context, &one);
    if (r < 0)
        failures_add(failures, &one);
    else if (each->print_results)
        printf("%d\n", r);
    else if (!each->quiet)
        printf("%s\n", e->id);
    fflush(stdout);
    return r;
}

static int each_named(struct call *call, const struct each_execution *each, struct failures *f)
{
    STRV_FOREACH(name, call->args)
    {
        _cleanup_execution_ struct execution *e = NULL;
        struct error one = {0};
        if (execution_lookup(call->firn, *name, &e, &one) < 0)
            failures_add(f, &one);
        else
            do_one(e, each, f);
    }
    return 0;
}

int each_execution(struct call *call, const struct each_execution *each, struct error *err)
{
    _cleanup_execution_list_ struct execution_list list = {0};
    struct failures failures = {0};
    if (!each->all == !call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "%s",
                              each->all ? "no arguments are needed with --all"
                                        : "you must provide at least one execution");
    int r = recover_all(call->firn, err);
    if (r == 0)
        r = each->all ? execution_list_all(call->firn, &list, err)
                      : each_named(call, each, &failures);
    for (size_t i = 0; r == 0 && i < list.count; i++)
        if (!each->only_over || execution_is_over(list.items[i]))
            do_one(list.items[i], each, &failures);
    return r < 0 ? r : failures_end(&failures, err);
}

int one_execution(struct call *call, struct execution **ret, struct error *err)
{
    int r = recover_all(call->firn, err);
    return r < 0 ? r : execution_lookup(call->firn, call->args[0], ret, err);
}
