#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/failures.h"
#include "container/image-filter.h"

struct image_prune_options {
    bool all, force;
    char **filters;
};

#define PRUNE(field) offsetof(struct image_prune_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, PRUNE(all),
     .help = "Remove all images not in use by containers, not just dangling ones"},
    {"external", 0, OPTION_UNSUPPORTED, 0},
    {"filter", 0, OPTION_STRINGS, PRUNE(filters), "stringArray",
     "Provide filter values (e.g. 'label=<key>=<value>')"},
    {"force", 'f', OPTION_BOOL, PRUNE(force), .help = "Do not prompt for confirmation"},
    {0},
};

static int remove_unused(struct call *call, const struct image *i, struct error *err)
{
    const struct image_prune_options *o = call->options;
    _cleanup_strv_ char **users = NULL;
    _cleanup_free_ char *id = NULL;
    if (!o->all && i->names && i->names[0])
        return 0;
    int r = image_users(call->firn->store, i->id, &users, err);
    if (r < 0 || strv_length(users))
        return r;
    r = image_remove(call->firn->store, i->id, true, NULL, &id, err);
    if (r >= 0 && id)
        printf("%s\n", id);
    return r;
}

static int run(struct call *call, struct error *err)
{
    const struct image_prune_options *o = call->options;
    _cleanup_image_list_ struct image_list list = {0};
    struct failures failures = {0};
    if (!o->force &&
        !confirm(o->all ? "WARNING! This command removes all images without at least one container "
                          "associated with them."
                        : "WARNING! This command removes all dangling images."))
        return 0;
    int r = image_filter_list(call->firn->store, NULL, o->filters, &list, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        struct error one = {0};
        if (remove_unused(call, list.items[i], &one) < 0)
            failures_add(&failures, &one);
    }
    return failures_end(&failures, err);
}

const struct command command_image_prune = {
    .paths = {"image prune"},
    .usage = "[options]",
    .help = "Remove unused images",
    .options = table,
    .options_size = sizeof(struct image_prune_options),
    .run = run,
};
