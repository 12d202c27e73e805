#include "cli/commands.h"
#include "store/image.h"

static int run(struct call *call, struct error *err)
{
    for (size_t i = 1; i < call->arg_count; i++) {
        int r = image_tag(call->firn->store, call->args[0], call->args[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

const struct command command_tag = {
    .paths = {"tag", "image tag"},
    .usage = "IMAGE TARGET_NAME [TARGET_NAME...]",
    .help = "Add an additional name to a local image",
    .args_least = 2,
    .args_most = ARGS_ANY,
    .run = run,
};
