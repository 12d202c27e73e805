/* Global options: `firn --root DIR ps`, accepted after the command's name too. */
#pragma once

#include "base/option.h"
#include "container/firn.h"

struct call;

struct global_options {
    char *root;
    char *runroot;
    char *tmpdir;
    char *runtime;
    char **runtime_flags;
    char *conmon;
    char *cgroup_manager;
    char *log_level;
    char *storage_driver;
    char *events_backend;
    bool version;
    bool noout;
};

extern const struct option global_table[];

/* Refuses values that are not supported. */
int global_check(const struct global_options *g, struct error *err);
/* What container/ wants to know of them. */
struct firn_options global_firn_options(const struct global_options *g);
