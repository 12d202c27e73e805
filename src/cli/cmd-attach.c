#include "base/strv.h"
#include "cli/commands.h"
#include "cli/each.h"
#include "container/attach.h"

struct attach_command_options {
    bool latest, no_stdin, signal_proxy;
    char *detach_keys;
};

#define ATTACH(field) offsetof(struct attach_command_options, field)

static const struct option table[] = {
    {"detach-keys", 0, OPTION_STRING, ATTACH(detach_keys), "string",
     "Select the key sequence for detaching a container"},
    {"latest", 'l', OPTION_BOOL, ATTACH(latest),
     .help = "Act on the latest container firn is aware of"},
    {"no-stdin", 0, OPTION_BOOL, ATTACH(no_stdin), .help = "Do not attach STDIN"},
    {"sig-proxy", 0, OPTION_BOOL, ATTACH(signal_proxy),
     .help = "Proxy received signals to the process", .initial = "true"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct attach_command_options *o = call->options;
    if (call->arg_count == 0 && !o->latest)
        return error_kind_set(err, ERROR_USAGE,
                              "\"firn attach\" requires a name, id, or the \"--latest\" flag");
    if (call->arg_count > 1)
        return error_kind_set(err, ERROR_USAGE, "attach requires only one name or id");
    _cleanup_container_list_ struct container_list list = {0};
    _cleanup_strv_ char **names = NULL;
    struct each e = {.latest = o->latest};
    int r = each_select(call, &e, &list, &names, err);
    if (r < 0)
        return r;
    struct attach_options attach = ATTACH_OPTIONS_INIT;
    attach.stdin_fd = o->no_stdin ? -1 : 0;
    attach.detach_keys = o->detach_keys;
    attach.signal_proxy = o->signal_proxy;
    int code = 0;
    r = container_attach(list.items[0], &attach, &code, err);
    if (r < 0)
        return r;
    return r == ATTACH_DETACHED ? 0 : code;
}

const struct command command_attach = {
    .paths = {"attach", "container attach"},
    .usage = "[options] CONTAINER",
    .help = "Attach to a running container",
    .options = table,
    .options_size = sizeof(struct attach_command_options),
    .args_most = ARGS_ANY,
    .run = run,
};
