#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "container/prune.h"

struct prune_options {
    bool force;
    char **filters;
};

static const struct option table[] = {
    {"filter", 0, OPTION_STRINGS, offsetof(struct prune_options, filters), "stringArray",
     "Provide filter values (e.g. 'label=<key>=<value>')"},
    {"force", 'f', OPTION_BOOL, offsetof(struct prune_options, force),
     .help = "Do not prompt for confirmation.  The default is false"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct prune_options *o = call->options;
    _cleanup_strv_ char **ids = NULL;
    if (!o->force && !confirm("WARNING! This will remove all non running containers."))
        return 0;
    int r = container_prune(call->firn, o->filters, &ids, err);
    STRV_FOREACH(id, ids)
    printf("%s\n", *id);
    return r < 0 ? r : 0;
}

const struct command command_container_prune = {
    .paths = {"container prune"},
    .usage = "[options]",
    .help = "Remove all non running containers",
    .options = table,
    .options_size = sizeof(struct prune_options),
    .run = run,
};
