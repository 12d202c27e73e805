#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/failures.h"
#include "store/volume.h"

struct volume_prune_options {
    bool force;
};

static const struct option table[] = {
    {"filter", 0, OPTION_UNSUPPORTED, 0, "stringArray"},
    {"force", 'f', OPTION_BOOL, offsetof(struct volume_prune_options, force),
     .help = "Do not prompt for confirmation"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct volume_prune_options *o = call->options;
    _cleanup_volume_list_ struct volume_list list = {0};
    struct failures failures = {0};
    if (!o->force && !confirm("WARNING! This will remove all volumes not used by at least one "
                              "container."))
        return 0;
    int r = volume_list(call->firn->store, &list, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        _cleanup_strv_ char **users = NULL;
        const char *name = list.items[i]->name;
        r = volume_users(call->firn->store, name, &users, &one);
        if (r >= 0 && strv_length(users))
            continue;
        if (r >= 0)
            r = volume_remove(call->firn->store, name, &one);
        if (r < 0)
            failures_add(&failures, &one);
        else
            printf("%s\n", name);
    }
    return failures_end(&failures, err);
}

const struct command command_volume_prune = {
    .paths = {"volume prune"},
    .usage = "[options]",
    .help = "Remove all unused volumes",
    .options = table,
    .options_size = sizeof(struct volume_prune_options),
    .run = run,
};
