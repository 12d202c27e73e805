#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "cli/failures.h"
#include "container/logs.h"

struct logs_command_options {
    bool follow, latest, names, timestamps, color;
    int64_t tail;
    char *since, *until;
};

#define LOGS(field) offsetof(struct logs_command_options, field)

static const struct option table[] = {
    {"color", 0, OPTION_BOOL, LOGS(color),
     .help = "Output the containers with different colors in the log"},
    {"details", 0, OPTION_UNSUPPORTED, 0},
    {"follow", 'f', OPTION_BOOL, LOGS(follow), .help = "Follow log output"},
    {"latest", 'l', OPTION_BOOL, LOGS(latest),
     .help = "Act on the latest container firn is aware of"},
    {"names", 'n', OPTION_BOOL, LOGS(names), .help = "Output the container name in the log"},
    {"since", 0, OPTION_STRING, LOGS(since), "string", "Show logs since TIMESTAMP"},
    {"tail", 0, OPTION_INT, LOGS(tail), "int",
     "Output the specified number of LINES at the end of the logs.", .initial = "-1"},
    {"timestamps", 't', OPTION_BOOL, LOGS(timestamps), .help = "Output the timestamps in the log"},
    {"until", 0, OPTION_STRING, LOGS(until), "string", "Show logs until TIMESTAMP"},
    {0},
};

static int time_option(const char *name, const char *value, int64_t *ret, struct error *err)
{
    if (!value)
        return 0;
    int r = time_parse(value, ret, err);
    return r < 0 ? error_wrap(err, "parsing --%s \"%s\"", name, value) : 0;
}

/* With --color, and on a terminal, each container has its own. */
static void make_prefix(const struct logs_command_options *o, const struct container *c,
                        size_t number, char *prefix, size_t size)
{
    const char *who = o->names ? c->name : c->id;
    int length = o->names ? 200 : 12;
    if (o->color && isatty(1))
        snprintf(prefix, size, "\x1b[3%zum%.*s\x1b[0m ", 1 + number % 6, length, who);
    else
        snprintf(prefix, size, "%.*s ", length, who);
}

static int run(struct call *call, struct error *err)
{
    const struct logs_command_options *o = call->options;
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    struct failures failures = {0};
    struct logs_options logs = LOGS_OPTIONS_INIT;
    logs.follow = o->follow;
    logs.timestamps = o->timestamps;
    logs.tail = o->tail;
    struct each e = {.latest = o->latest};
    if (!o->latest && !call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "specify at least one container name or ID to log");
    int r = time_option("since", o->since, &logs.since, err);
    if (r >= 0)
        r = time_option("until", o->until, &logs.until, err);
    if (r >= 0)
        r = each_select(call, &e, &list, &names, err);
    if (r < 0)
        return r;
    if (list.count > 1 && o->follow)
        return error_kind_set(err, ERROR_USAGE,
                              "--follow of several containers is not supported by firn yet");
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        char prefix[300];
        make_prefix(o, list.items[i], i, prefix, sizeof(prefix));
        logs.prefix = list.count > 1 ? prefix : NULL;
        if (container_logs(list.items[i], &logs, &one) < 0)
            failures_add(&failures, &one);
    }
    return failures_end(&failures, err);
}

const struct command command_logs = {
    .paths = {"logs", "container logs"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Fetch the logs of one or more containers",
    .options = table,
    .options_size = sizeof(struct logs_command_options),
    .args_most = ARGS_ANY,
    .run = run,
};
