#include "cli/commands.h"
#include "cli/each-execution.h"
#include "container/signals.h"
#include "execution/control.h"

struct kill_options {
    bool all;
    char *signal;
};

#define KILL(field) offsetof(struct kill_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, KILL(all), .help = "All that are not over"},
    {"signal", 's', OPTION_STRING, KILL(signal), "string", "Signal to send to the worker",
     .initial = "KILL"},
    {0},
};

static int kill_one(struct execution *e, const void *context, struct error *err)
{
    _cleanup_json_ struct json *body = js_object();
    js_set(body, "signal", js_int(*(const int *)context));
    return control_ask(e, "POST", "/kill", body, NULL, err);
}

static int kill_active(struct execution *e, const void *context, struct error *err)
{
    return execution_is_over(e) ? 0 : kill_one(e, context, err);
}

static int run(struct call *call, struct error *err)
{
    const struct kill_options *o = call->options;
    int signal = signal_parse(o->signal, err);
    if (signal < 0)
        return signal;
    const struct each_execution each = {
        .all = o->all, .act = o->all ? kill_active : kill_one, .context = &signal};
    return each_execution(call, &each, err);
}

const struct command command_execution_kill = {
    .paths = {"execution kill"},
    .usage = "[options] EXECUTION [EXECUTION...]",
    .help = "End executions: their workers get a signal and are not brought back",
    .options = table,
    .options_size = sizeof(struct kill_options),
    .args_most = ARGS_ANY,
    .run = run,
};
