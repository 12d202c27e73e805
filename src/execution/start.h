/* Beginning executions. */
#pragma once

#include "execution/execution.h"

struct start_options {
    const char *store; /* NULL: $FIRN_EXECUTION_STORE, or PLACE_STORE */
    int64_t retries;   /* see struct execution_policy */
    int64_t backoff;
    int64_t grace;
};
/* What those of `o` mean that nobody has chosen. */
#define START_OPTIONS_INIT                                                                         \
    {                                                                                              \
        .retries = 5, .backoff = INT64_C(1000000000), .grace = INT64_C(10000000000)                \
    }

/* From a config (config.h): makes the container, writes the execution down, starts its supervisor
 * and waits until the worker runs. What fails on the way leaves nothing behind. */
int execution_start(struct firn *firn, struct json *config, const struct start_options *o,
                    struct execution **ret, struct error *err);

/* From the checkpoint of an execution that is not here: of another machine, or of a store that is
 * gone. The file is not trusted, see container/restore.h. */
int execution_restore(struct firn *firn, const char *file, const struct start_options *o,
                      struct execution **ret, struct error *err);
