#include "cli/commands.h"
#include "container/holder.h"

static int run(struct call *call, struct error *err)
{
    holder_hold();
}

const struct command command_namespace_holder = {
    .paths = {HOLDER_COMMAND},
    .usage = "",
    .help = "Keep a user's namespaces while none of his commands runs",
    .flags = COMMAND_WITHOUT_STORE | COMMAND_HIDDEN,
    .run = run,
};
