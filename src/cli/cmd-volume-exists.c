#include "cli/commands.h"
#include "store/volume.h"

static int run(struct call *call, struct error *err)
{
    int r = volume_exists(call->firn->store, call->args[0], err);
    return r < 0 ? r : !r;
}

const struct command command_volume_exists = {
    .paths = {"volume exists"},
    .usage = "VOLUME",
    .help = "Check if volume exists",
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
