#include "api/service.h"
#include "base/strv.h"
#include "cli/commands.h"

struct service_command_options {
    int64_t time;
};

static const struct option table[] = {
    {"time", 't', OPTION_INT, offsetof(struct service_command_options, time), "int",
     "Seconds without requests until the service ends. 0: never", .initial = "5",
     .alias = "timeout"},
    {0},
};

/* The service's own process keeps no store open: each request's does that for itself. What is wrong
 * with the store is better said now than with every answer. */
static int try_store(const struct firn_options *options, struct error *err)
{
    _cleanup_firn_ struct firn *firn = NULL;
    return firn_open(options, &firn, err);
}

static int run(struct call *call, struct error *err)
{
    const struct service_command_options *o = call->options;
    if (o->time < 0 || o->time > INT32_MAX)
        return error_kind_set(err, ERROR_USAGE, "--time %lld: 0 or more seconds are needed",
                              (long long)o->time);
    int r = call_enter_namespaces(call, err);
    struct firn_options options = global_firn_options(call->global);
    if (r >= 0)
        r = try_store(&options, err);
    if (r < 0)
        return r;
    struct service_options service = {
        .uri = call->arg_count ? call->args[0] : NULL,
        .timeout_seconds = o->time,
    };
    return service_run(&options, &service, err);
}

const struct command command_system_service = {
    .paths = {"system service"},
    .usage = "[options] [URI]",
    .help = "Serve the API of Podman and Docker on a socket",
    .options = table,
    .options_size = sizeof(struct service_command_options),
    .args_most = 1,
    .flags = COMMAND_WITHOUT_STORE,
    .run = run,
};
