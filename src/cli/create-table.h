/* The options `run` and `create` have in common, in a struct create_options. */
#pragma once

#include "base/option.h"
#include "cli/command.h"
#include "container/create-options.h"

/* What the command line knows of it beside. */
struct create_call {
    struct create_options create;
    char **attach; /* run only */
    char *detach_keys;
    bool signal_proxy;
};

extern const struct option create_table[]; /* fills a struct create_options */
void create_prepare(void *create_call);
/* Takes image, command and the rest from the call. */
void create_finish(const struct call *call, struct create_call *o);
