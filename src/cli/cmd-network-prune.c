#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/failures.h"
#include "store/network.h"

struct network_prune_options {
    bool force;
};

static const struct option table[] = {
    {"filter", 0, OPTION_UNSUPPORTED, 0, "stringArray"},
    {"force", 'f', OPTION_BOOL, offsetof(struct network_prune_options, force),
     .help = "do not prompt for confirmation"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct network_prune_options *o = call->options;
    _cleanup_network_list_ struct network_list list = {0};
    struct failures failures = {0};
    if (!o->force &&
        !confirm("WARNING! This will remove all networks not used by at least one container."))
        return 0;
    int r = network_list(call->firn->store, &list, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        const char *name = list.items[i]->name;
        if (string_equal(name, NETWORK_DEFAULT))
            continue;
        r = network_remove(call->firn->store, name, &one);
        if (r >= 0)
            printf("%s\n", name);
        else if (one.kind != ERROR_IN_USE)
            failures_add(&failures, &one);
    }
    return failures_end(&failures, err);
}

const struct command command_network_prune = {
    .paths = {"network prune"},
    .usage = "[options]",
    .help = "Prune unused networks",
    .options = table,
    .options_size = sizeof(struct network_prune_options),
    .run = run,
};
