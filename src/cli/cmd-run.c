#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/create-table.h"
#include "container/attach.h"
#include "container/create.h"
#include "container/remove.h"
#include "container/start.h"

static const struct option table[] = {
    {.type = OPTION_TABLE, .table = create_table, .offset = offsetof(struct create_call, create)},
    {"attach", 'a', OPTION_STRINGS, offsetof(struct create_call, attach), "strings",
     "Attach to STDIN, STDOUT or STDERR"},
    {"detach", 'd', OPTION_BOOL, offsetof(struct create_call, create.detach),
     .help = "Run container in background and print container ID"},
    {"detach-keys", 0, OPTION_STRING, offsetof(struct create_call, detach_keys), "string",
     "Override the key sequence for detaching a container"},
    {"sig-proxy", 0, OPTION_BOOL, offsetof(struct create_call, signal_proxy),
     .help = "Proxy received signals to the process", .initial = "true"},
    {0},
};

/* -a stdin|stdout|stderr chooses; without it, output and (with -i) input. */
static int choose_streams(const struct create_call *o, struct attach_options *a, struct error *err)
{
    a->detach_keys = o->detach_keys;
    a->signal_proxy = o->signal_proxy;
    a->stdin_fd = o->create.interactive ? 0 : -1;
    if (!o->attach)
        return 0;
    a->stdin_fd = a->stdout_fd = a->stderr_fd = -1;
    STRV_FOREACH(s, o->attach)
    {
        if (strcasecmp(*s, "stdin") == 0)
            a->stdin_fd = 0;
        else if (strcasecmp(*s, "stdout") == 0)
            a->stdout_fd = 1;
        else if (strcasecmp(*s, "stderr") == 0)
            a->stderr_fd = 2;
        else
            return error_kind_set(err, ERROR_USAGE,
                                  "invalid stream \"%s\" for --attach - must be one of stdin, "
                                  "stdout, or stderr: invalid argument",
                                  *s);
    }
    return 0;
}

/* A container made with --rm does not outlive a start that failed. */
static int start_failed(struct container *c, int r, const struct error *err)
{
    struct remove_options options = {.force = true, .volumes = true, .timeout_seconds = 0};
    struct error ignored = {0};
    if (container_auto_removes(c) && err->kind != ERROR_CANCELLED)
        container_remove(c, &options, &ignored);
    return r;
}

static int run_container(struct call *call, const struct create_call *o, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    _cleanup_free_ char *replaced = NULL;
    struct attach_options attach = ATTACH_OPTIONS_INIT;
    int code = 0;
    int r = choose_streams(o, &attach, err);
    if (r >= 0)
        r = container_create(call->firn, &o->create, &c, &replaced, err);
    if (r < 0)
        return r;
    if (replaced) {
        printf("%s\n", o->create.name);
        fflush(stdout);
    }
    if (!o->create.detach) {
        r = container_start_attached(c, &attach, &code, err);
        if (r < 0)
            return start_failed(c, r, err);
        return r == ATTACH_DETACHED ? 0 : code;
    }
    r = container_start(c, err);
    if (r < 0)
        return start_failed(c, r, err);
    printf("%s\n", c->id);
    return 0;
}

static int run(struct call *call, struct error *err)
{
    struct create_call *o = call->options;
    if (o->create.tty && o->create.interactive && !o->create.detach && !isatty(0))
        firn_warn(call->firn, "The input device is not a TTY. The --tty and --interactive flags "
                              "might not work properly");
    create_finish(call, o);
    int r = run_container(call, o, err);
    strv_free(o->create.command);
    strv_free(o->create.create_command);
    return r;
}

const struct command command_run = {
    .paths = {"run", "container run"},
    .usage = "[options] IMAGE [COMMAND [ARG...]]",
    .help = "Run a command in a new container",
    .options = table,
    .options_size = sizeof(struct create_call),
    .prepare = create_prepare,
    .args_least = 1,
    .args_most = ARGS_ANY,
    .flags = COMMAND_STOP_AT_POSITIONAL,
    .run = run,
};
