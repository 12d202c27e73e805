/* Commands that do one thing to each of [--all | --latest | CONTAINER...]: all names are resolved
 * first, then each success echoes the name as it was typed (the full id with --all and --latest)
 * and each failure is a line of its own. */
#pragma once

#include "cli/command.h"
#include "container/container.h"
#include "container/state.h"

struct each {
    bool all;
    bool latest;
    char *const *cidfiles; /* files that hold ids, NULL: none */
    char *const *filters;  /* only with all, NULL: none */
    /* With all: which ones; NULL: every one. */
    bool (*wanted)(enum container_state state);
    /* Names that do not exist are passed over. */
    bool ignore_missing;
    bool quiet; /* do not echo */
    /* A positive result: done, but not to be echoed. */
    int (*act)(struct container *c, const void *context, struct error *err);
    const void *context;
};

int each_container(struct call *call, const struct each *e, struct error *err);

/* Does the selecting alone: *ret_names are what to echo, as long as the list. */
int each_select(struct call *call, const struct each *e, struct container_list *ret,
                char ***ret_names, struct error *err);

/* For `wanted`. */
bool wanted_alive(enum container_state state);   /* running, paused */
bool wanted_running(enum container_state state); /* running */
bool wanted_paused(enum container_state state);
bool wanted_exited(enum container_state state);
bool wanted_stopped(enum container_state state); /* anything that may be started */
