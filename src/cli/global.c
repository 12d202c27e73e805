#include "cli/global.h"

#include "base/cleanup.h"
#include "base/strv.h"

#define GLOBAL(field) offsetof(struct global_options, field)

const struct option global_table[] = {
    {"cgroup-manager", 0, OPTION_STRING, GLOBAL(cgroup_manager), "string",
     "Cgroup manager to use (\"cgroupfs\"|\"systemd\")"},
    {"conmon", 0, OPTION_STRING, GLOBAL(conmon), "string", "Path of the conmon binary"},
    {"events-backend", 0, OPTION_STRING, GLOBAL(events_backend), "string",
     "Events backend to use (only \"none\" so far)"},
    {"log-level", 0, OPTION_STRING, GLOBAL(log_level), "string",
     "Log messages above specified level (trace, debug, info, warn, warning, error, fatal, panic)"},
    {"noout", 0, OPTION_BOOL, GLOBAL(noout), .help = "do not output to stdout"},
    {"root", 0, OPTION_STRING, GLOBAL(root), "string",
     "Path to the root directory in which data, including images, is stored"},
    {"runroot", 0, OPTION_STRING, GLOBAL(runroot), "string",
     "Path to the 'run directory' where all state information is stored"},
    {"runtime", 0, OPTION_STRING, GLOBAL(runtime), "string",
     "Path to the OCI-compatible binary used to run containers."},
    {"runtime-flag", 0, OPTION_STRINGS, GLOBAL(runtime_flags), "stringArray",
     "add global flags for the container runtime"},
    {"storage-driver", 0, OPTION_STRING, GLOBAL(storage_driver), "string",
     "Select which storage driver is used to manage storage of images and containers (overlay)"},
    {"syslog", 0, OPTION_UNSUPPORTED, 0},
    {"tmpdir", 0, OPTION_STRING, GLOBAL(tmpdir), "string",
     "Path to the tmp directory for files that do not outlive a command"},
    {"version", 'v', OPTION_BOOL, GLOBAL(version), .help = "version for firn"},
    {"connection", 'c', OPTION_UNSUPPORTED, 0, "string"},
    {"hooks-dir", 0, OPTION_UNSUPPORTED, 0, "strings"},
    {"identity", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"imagestore", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"module", 0, OPTION_UNSUPPORTED, 0, "strings"},
    {"namespace", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"network-cmd-path", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"network-config-dir", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"registries-conf", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"remote", 'r', OPTION_UNSUPPORTED, 0},
    {"ssh", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"storage-opt", 0, OPTION_UNSUPPORTED, 0, "stringArray"},
    {"transient-store", 0, OPTION_UNSUPPORTED, 0},
    {"url", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"volumepath", 0, OPTION_UNSUPPORTED, 0, "string"},
    {0},
};

static bool is_one_of(const char *value, const char *const *list)
{
    for (; *list; list++)
        if (string_equal(value, *list))
            return true;
    return false;
}

int global_check(const struct global_options *g, struct error *err)
{
    static const char *const managers[] = {"cgroupfs", "systemd", NULL};
    static const char *const levels[] = {"trace", "debug", "info",  "warn", "warning",
                                         "error", "fatal", "panic", NULL};
    if (g->cgroup_manager && !is_one_of(g->cgroup_manager, managers))
        return error_kind_set(err, ERROR_USAGE,
                              "configuring runtime: cgroup manager must be one of cgroupfs and "
                              "systemd: invalid argument");
    if (g->log_level && !is_one_of(g->log_level, levels))
        return error_kind_set(err, ERROR_USAGE,
                              "Log Level \"%s\" is not supported, choose from: trace, debug, info, "
                              "warn, warning, error, fatal, panic",
                              g->log_level);
    if (g->storage_driver && !string_equal(g->storage_driver, "overlay"))
        return error_kind_set(err, ERROR_USAGE,
                              "storage driver \"%s\" is not supported, use \"overlay\"",
                              g->storage_driver);
    if (g->events_backend && !string_equal(g->events_backend, "none"))
        return error_kind_set(err, ERROR_USAGE,
                              "events backend \"%s\" is not supported by firn yet, use \"none\"",
                              g->events_backend);
    return 0;
}

struct firn_options global_firn_options(const struct global_options *g)
{
    bool warning = string_equal(g->log_level, "warning");
    return (struct firn_options){
        .root = g->root,
        .runroot = g->runroot,
        .runtime = g->runtime,
        .conmon = g->conmon,
        .cgroup_manager = g->cgroup_manager,
        .log_level = warning ? "warn" : g->log_level,
        .runtime_flags = g->runtime_flags,
    };
}
