#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/failures.h"
#include "container/remove.h"
#include "store/network.h"

struct network_rm_options {
    bool force;
    uint64_t time;
};

#define RM(field) offsetof(struct network_rm_options, field)

static const struct option table[] = {
    {"force", 'f', OPTION_BOOL, RM(force), .help = "remove any containers using network"},
    {"time", 't', OPTION_UINT, RM(time), "uint",
     "Seconds to wait for running containers to stop before killing the container (default 10)"},
    {0},
};

static int remove_users(struct call *call, const char *name, struct error *err)
{
    const struct network_rm_options *o = call->options;
    struct remove_options options = {
        .force = true,
        .timeout_seconds = option_given(call->given, "time") ? (int)o->time : -1,
    };
    _cleanup_strv_ char **users = NULL;
    int r = network_users(call->firn->store, name, &users, err);
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
    const struct network_rm_options *o = call->options;
    _cleanup_network_ struct network *n = NULL;
    int r = network_lookup(call->firn->store, name, &n, err);
    if (r >= 0 && o->force && !string_equal(n->name, NETWORK_DEFAULT))
        r = remove_users(call, n->name, err);
    return r < 0 ? r : network_remove(call->firn->store, n->name, err);
}

static int run(struct call *call, struct error *err)
{
    const struct network_rm_options *o = call->options;
    struct failures failures = {0};
    STRV_FOREACH(name, call->args)
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

const struct command command_network_rm = {
    .paths = {"network rm", "network remove"},
    .usage = "[options] NETWORK [NETWORK...]",
    .help = "Remove networks",
    .options = table,
    .options_size = sizeof(struct network_rm_options),
    .args_least = 1,
    .args_most = ARGS_ANY,
    .flags = COMMAND_RM_CODES,
    .run = run,
};
