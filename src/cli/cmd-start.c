#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "container/attach.h"
#include "container/start.h"

struct start_options {
    bool all, latest, attach, interactive, signal_proxy;
    char *detach_keys;
    char **filters;
};

#define START(field) offsetof(struct start_options, field)

static const struct option table[] = {
    {"all", 0, OPTION_BOOL, START(all), .help = "Start all containers regardless of their state"},
    {"attach", 'a', OPTION_BOOL, START(attach), .help = "Attach container's STDOUT and STDERR"},
    {"detach-keys", 0, OPTION_STRING, START(detach_keys), "string",
     "Select the key sequence for detaching a container"},
    {"filter", 'f', OPTION_LIST, START(filters), "strings",
     "Filter output based on conditions given"},
    {"interactive", 'i', OPTION_BOOL, START(interactive),
     .help = "Make STDIN available to the contained process"},
    {"latest", 'l', OPTION_BOOL, START(latest),
     .help = "Act on the latest container firn is aware of"},
    {"sig-proxy", 0, OPTION_BOOL, START(signal_proxy),
     .help = "Proxy received signals to the process", .initial = "true"},
    {0},
};

/* One that runs already is not echoed. */
static int start_one(struct container *c, const void *context, struct error *err)
{
    int r = container_start(c, err);
    if (r >= 0)
        return r;
    if (err->kind == ERROR_CANNOT_INVOKE || err->kind == ERROR_COMMAND_NOT_FOUND)
        err->kind = ERROR_GENERIC;
    return error_wrap(err, "unable to start container \"%s\"", c->id);
}

static int start_attached(struct call *call, const struct each *e, struct error *err)
{
    const struct start_options *o = call->options;
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    int r = each_select(call, e, &list, &names, err);
    if (r < 0)
        return r;
    if (list.count != 1)
        return error_kind_set(err, ERROR_USAGE,
                              "you cannot start and attach multiple containers at once");
    struct attach_options attach = ATTACH_OPTIONS_INIT;
    attach.stdin_fd = o->interactive ? 0 : -1;
    attach.detach_keys = o->detach_keys;
    attach.signal_proxy = o->signal_proxy;
    int code = 0;
    r = container_start_attached(list.items[0], &attach, &code, err);
    return r < 0 ? r : code;
}

static int run(struct call *call, struct error *err)
{
    const struct start_options *o = call->options;
    struct each e = {
        .all = o->all || o->filters,
        .latest = o->latest,
        .filters = o->filters,
        .wanted = wanted_stopped,
        .act = start_one,
    };
    if (!e.all && !o->latest && !call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "start requires at least one argument");
    if ((o->attach || o->interactive) && call->arg_count > 1)
        return error_kind_set(err, ERROR_USAGE,
                              "you cannot start and attach multiple containers at once");
    if (o->attach || o->interactive)
        return start_attached(call, &e, err);
    return each_container(call, &e, err);
}

const struct command command_start = {
    .paths = {"start", "container start"},
    .usage = "[options] CONTAINER [CONTAINER...]",
    .help = "Start one or more containers",
    .options = table,
    .options_size = sizeof(struct start_options),
    .args_most = ARGS_ANY,
    .run = run,
};
