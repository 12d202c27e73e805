#include "cli/commands.h"
#include "store/image.h"

static int run(struct call *call, struct error *err)
{
    int r = image_known(call->firn->store, call->args[0], err);
    return r < 0 ? r : !r;
}

const struct command command_image_exists = {
    .paths = {"image exists"},
    .usage = "IMAGE",
    .help = "Check if an image exists in local storage",
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
