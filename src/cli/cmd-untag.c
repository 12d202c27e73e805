#include "cli/commands.h"
#include "store/image.h"

static int run(struct call *call, struct error *err)
{
    return image_untag(call->firn->store, call->args[0], call->args + 1, err);
}

const struct command command_untag = {
    .paths = {"untag", "image untag"},
    .usage = "IMAGE [IMAGE...]",
    .help = "Remove a name from a local image",
    .args_least = 1,
    .args_most = ARGS_ANY,
    .run = run,
};
