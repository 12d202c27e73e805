#include "cli/commands.h"
#include "store/network.h"

static int run(struct call *call, struct error *err)
{
    _cleanup_network_ struct network *n = NULL;
    int r = network_lookup(call->firn->store, call->args[0], &n, err);
    return r < 0 && err->kind == ERROR_NOT_FOUND ? 1 : r;
}

const struct command command_network_exists = {
    .paths = {"network exists"},
    .usage = "NETWORK",
    .help = "Check if network exists",
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
