/* Options of what begins an execution: run, restore. */
#pragma once

#include "base/option.h"
#include "execution/start.h"

struct execution_options {
    char *store;
    int64_t retries, backoff, grace;
};

extern const struct option execution_table[];

int execution_options_make(const struct execution_options *o, struct start_options *ret,
                           struct error *err);
