#include <string.h>

#include "base/io.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "container/checkpoints.h"

static int describe(struct call *call, const char *name, struct json **ret, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    if (strchr(name, '/') || path_exists(name))
        return checkpoint_describe_archive(call->firn, name, ret, err);
    int r = container_lookup(call->firn, name, &c, err);
    return r < 0 ? r : checkpoint_describe(c, ret, err);
}

static int run(struct call *call, struct error *err)
{
    _cleanup_json_ struct json *all = js_array();
    for (size_t i = 0; i < call->arg_count; i++) {
        struct json *one = NULL;
        int r = describe(call, call->args[i], &one, err);
        if (r < 0)
            return r;
        js_push(all, one);
    }
    report_json(all, 4);
    return 0;
}

const struct command command_checkpoint_inspect = {
    .paths = {"checkpoint inspect"},
    .usage = "CONTAINER|FILE [CONTAINER|FILE...]",
    .help = "Display what a local checkpoint or a checkpoint archive holds",
    .options = (const struct option[]){{0}},
    .args_least = 1,
    .args_most = ARGS_ANY,
    .run = run,
};
