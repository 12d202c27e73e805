#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "cli/failures.h"
#include "container/wait.h"

struct wait_options {
    bool latest, ignore;
    char **conditions;
    int64_t interval;
};

#define WAIT(field) offsetof(struct wait_options, field)

static const struct option table[] = {
    {"condition", 0, OPTION_LIST, WAIT(conditions), "strings", "Condition to wait on"},
    {"ignore", 0, OPTION_BOOL, WAIT(ignore), .help = "Ignore if a container does not exist"},
    {"interval", 'i', OPTION_DURATION, WAIT(interval), "string",
     "Time Interval to wait before polling for completion", .initial = "250ms"},
    {"latest", 'l', OPTION_BOOL, WAIT(latest),
     .help = "Act on the latest container firn is aware of"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct wait_options *o = call->options;
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    struct failures failures = {0};
    struct each e = {.latest = o->latest, .ignore_missing = o->ignore};
    if (!o->latest && !call->arg_count)
        return error_kind_set(err, ERROR_USAGE,
                              "\"firn wait\" requires a name, id, or the \"--latest\" flag");
    int r = each_select(call, &e, &list, &names, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        int code = 0;
        r = container_wait(list.items[i], o->conditions, o->interval, &code, &one);
        if (r < 0)
            failures_add(&failures, &one);
        else
            printf("%d\n", code);
        fflush(stdout);
    }
    return failures_end(&failures, err);
}

const struct command command_wait = {
    .paths = {"wait", "container wait"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Block on one or more containers",
    .options = table,
    .options_size = sizeof(struct wait_options),
    .args_most = ARGS_ANY,
    .run = run,
};
