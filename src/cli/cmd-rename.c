#include "cli/commands.h"
#include "container/rename.h"

static int run(struct call *call, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int r = container_lookup(call->firn, call->args[0], &c, err);
    return r < 0 ? r : container_rename(c, call->args[1], err);
}

const struct command command_rename = {
    .paths = {"rename", "container rename"},
    .usage = "CONTAINER NAME",
    .help = "Rename an existing container",
    .args_least = 2,
    .args_most = 2,
    .run = run,
};
