/* The context of one job: where things are kept, which programs to use. Opened once per command and
 * handed to everything in container/.
 *
 *     _cleanup_firn_ struct firn *firn = NULL;
 *     struct firn_options o = {.runtime = "crun"};
 *     int r = firn_open(&o, &firn, err);
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

struct store;

/* Least to most severe, as `--log-level` names them. */
enum log_level {
    LOG_LEVEL_TRACE,
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_FATAL,
    LOG_LEVEL_PANIC,
};

/* The global options as typed; NULL means the default. */
struct firn_options {
    const char *root;    /* --root */
    const char *runroot; /* --runroot */
    const char
        *runtime;       /* --runtime: a path or a name looked up in PATH; default crun, else runc */
    const char *conmon; /* --conmon */
    const char *cgroup_manager; /* --cgroup-manager: cgroupfs (default) or systemd */
    const char *log_level;      /* --log-level; default warn */
    char *const *runtime_flags; /* --runtime-flag, without the leading "--" */
};

struct firn {
    struct store *store;
    char *root;    /* absolute */
    char *runroot; /* absolute */
    char *runtime; /* path; empty until firn_runtime() was asked for it */
    char *conmon;  /* path; empty until firn_conmon() was asked for it */
    char *cgroup_manager;
    char **runtime_flags;
    enum log_level log_level;
    const char *log_level_name;
    char *self;           /* path of this very program */
    char **exit_command;  /* self + the global options needed to come back to this store */
    char *runtime_option; /* what --runtime said, NULL if nothing */
    char *conmon_option;
    bool rootless;
};

/* Opens the store too. Returns 0 or -errno. */
int firn_open(const struct firn_options *options, struct firn **ret, struct error *err);
void firn_close(struct firn *firn);
DEFINE_CLEANUP(struct firn *, firn_close);
#define _cleanup_firn_ _cleanup_(firn_closep)

/* The path of the OCI runtime and of conmon, searched when first asked for. NULL with the error
 * set. */
const char *firn_runtime(struct firn *firn, struct error *err);
const char *firn_conmon(struct firn *firn, struct error *err);
/* The path of the runtime `name` ("crun", "runc", a path); `name` NULL: firn_runtime. The caller
 * frees. */
char *firn_runtime_named(struct firn *firn, const char *name, struct error *err);

/* A line on stderr in logrus form, as Podman's warnings are; nothing below --log-level.
 * This is the only thing in container/ that prints. */
void firn_log(const struct firn *firn, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define firn_warn(firn, ...)  firn_log((firn), LOG_LEVEL_WARN, __VA_ARGS__)
#define firn_debug(firn, ...) firn_log((firn), LOG_LEVEL_DEBUG, __VA_ARGS__)
