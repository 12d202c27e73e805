/* `network connect` and `network disconnect`: known, and refused with a reason. */
#include "cli/commands.h"

static int refuse(struct call *call, struct error *err)
{
    return error_kind_set(err, ERROR_USAGE,
                          "firn %s is not supported: a container's networks are chosen when it is "
                          "made, with `firn create --network NAME,NAME`",
                          call->path);
}

const struct command command_network_connect = {
    .paths = {"network connect"},
    .usage = "NETWORK CONTAINER",
    .help = "Add a container to a network (not supported)",
    .args_least = 2,
    .args_most = 2,
    .run = refuse,
};

const struct command command_network_disconnect = {
    .paths = {"network disconnect"},
    .usage = "NETWORK CONTAINER",
    .help = "Disconnect a container from a network (not supported)",
    .args_least = 2,
    .args_most = 2,
    .run = refuse,
};
