#include "cli/commands.h"
#include "cli/each-execution.h"
#include "execution/control.h"

struct suspend_options {
    bool until_signal;
    char *duration, *until;
};

#define SUSPEND(field) offsetof(struct suspend_options, field)

static const struct option table[] = {
    {"for", 0, OPTION_STRING, SUSPEND(duration), "duration", "Let it go on after so long (1h, 90s)",
     .check = OPTION_DURATION},
    {"until", 0, OPTION_STRING, SUSPEND(until), "time", "Let it go on at that time (RFC 3339)"},
    {"until-signal", 0, OPTION_BOOL, SUSPEND(until_signal),
     .help = "Let it go on when `execution resume` says so (the default)"},
    {0},
};

static int suspend(struct execution *e, const void *context, struct error *err)
{
    const struct suspend_options *o = context;
    _cleanup_json_ struct json *body = js_object();
    if (o->duration)
        js_set(body, "for", js_string(o->duration));
    else if (o->until)
        js_set(body, "until", js_string(o->until));
    else
        js_set(body, "until_signal", js_bool(true));
    return control_ask(e, "POST", "/suspend", body, NULL, err);
}

static int run(struct call *call, struct error *err)
{
    const struct suspend_options *o = call->options;
    const struct each_execution each = {.act = suspend, .context = o};
    if ((o->duration != NULL) + (o->until != NULL) + o->until_signal > 1)
        return error_kind_set(err, ERROR_USAGE,
                              "--for, --until and --until-signal exclude each other");
    return each_execution(call, &each, err);
}

const struct command command_execution_suspend = {
    .paths = {"execution suspend"},
    .usage = "[options] EXECUTION [EXECUTION...]",
    .help = "Write executions to disk and free their memory until they go on",
    .options = table,
    .options_size = sizeof(struct suspend_options),
    .args_most = ARGS_ANY,
    .run = run,
};
