#include "cli/commands.h"
#include "cli/each-execution.h"
#include "execution/control.h"

struct checkpoint_options {
    bool leave_running;
};

static const struct option table[] = {
    {"leave-running", 'R', OPTION_BOOL, offsetof(struct checkpoint_options, leave_running),
     .help = "Leave it running after writing the checkpoint; else it is suspended until resumed"},
    {0},
};

static int checkpoint(struct execution *e, const void *context, struct error *err)
{
    const struct checkpoint_options *o = context;
    _cleanup_json_ struct json *body = js_object();
    js_set(body, "leave_running", js_bool(o->leave_running));
    return control_ask(e, "POST", "/checkpoint", body, NULL, err);
}

static int run(struct call *call, struct error *err)
{
    const struct each_execution each = {.act = checkpoint, .context = call->options};
    return each_execution(call, &each, err);
}

const struct command command_execution_checkpoint = {
    .paths = {"execution checkpoint"},
    .usage = "[options] EXECUTION [EXECUTION...]",
    .help = "Write the checkpoint of executions",
    .options = table,
    .options_size = sizeof(struct checkpoint_options),
    .args_most = ARGS_ANY,
    .run = run,
};
