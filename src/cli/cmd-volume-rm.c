#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/failures.h"
#include "container/remove.h"
#include "store/volume.h"

struct volume_rm_options {
    bool all, force;
    uint64_t time;
};

#define RM(field) offsetof(struct volume_rm_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, RM(all), .help = "Remove all volumes"},
    {"force", 'f', OPTION_BOOL, RM(force),
     .help = "Remove a volume by force, even if it is being used by a container"},
    {"time", 't', OPTION_UINT, RM(time), "uint",
     "Seconds to wait for running containers to stop before killing the container (default 10)"},
    {0},
};

static int remove_users(struct call *call, const char *name, struct error *err)
{
    const struct volume_rm_options *o = call->options;
    struct remove_options options = {
        .force = true,
        .timeout_seconds = option_given(call->given, "time") ? (int)o->time : -1,
    };
    _cleanup_strv_ char **users = NULL;
    int r = volume_users(call->firn->store, name, &users, err);
    for (char **id = users; r >= 0 && id && *id; id++) {
        _cleanup_container_ struct container *c = NULL;
        r = container_lookup(call->firn, *id, &c, err);
        if (r >= 0)
            r = container_remove(c, &options, err);
    }
    return r;
}

static int remove_one(struct call *call, const char *name, struct error *err)
{
    const struct volume_rm_options *o = call->options;
    _cleanup_volume_ struct volume *v = NULL;
    int r = volume_lookup(call->firn->store, name, &v, err);
    if (r >= 0 && o->force)
        r = remove_users(call, v->name, err);
    return r < 0 ? r : volume_remove(call->firn->store, v->name, err);
}

static int run(struct call *call, struct error *err)
{
    const struct volume_rm_options *o = call->options;
    struct failures failures = {0};
    _cleanup_strv_ char **names = NULL;
    if (o->all == (call->arg_count > 0))
        return error_kind_set(err, ERROR_USAGE, "choose either one or more volumes or all");
    strv_add_all(&names, call->args);
    if (o->all) {
        _cleanup_volume_list_ struct volume_list list = {0};
        int r = volume_list(call->firn->store, &list, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < list.count; i++)
            strv_add(&names, list.items[i]->name);
    }
    STRV_FOREACH(name, names)
    {
        struct error one = {0};
        int r = remove_one(call, *name, &one);
        bool passed_over = o->force && one.kind == ERROR_NOT_FOUND;
        if (r >= 0)
            printf("%s\n", *name);
        else if (!passed_over)
            failures_add(&failures, &one);
    }
    return failures_end(&failures, err);
}

const struct command command_volume_rm = {
    .paths = {"volume rm", "volume remove"},
    .usage = "[options] VOLUME [VOLUME...]",
    .help = "Remove one or more volumes",
    .options = table,
    .options_size = sizeof(struct volume_rm_options),
    .args_most = ARGS_ANY,
    .flags = COMMAND_RM_CODES,
    .run = run,
};
