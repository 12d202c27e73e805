#include "cli/commands.h"
#include "container/container.h"

static int run(struct call *call, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int r = container_lookup(call->firn, call->args[0], &c, err);
    if (r < 0 && err->kind == ERROR_NOT_FOUND)
        return 1;
    return r < 0 ? r : 0;
}

const struct command command_container_exists = {
    .paths = {"container exists"},
    .usage = "[options] CONTAINER",
    .help = "Check if a container exists in local storage",
    .options = (const struct option[]){{"external", 0, OPTION_UNSUPPORTED, 0}, {0}},
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
