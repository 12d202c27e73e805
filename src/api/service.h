/* The REST service. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "container/firn.h"

struct service_options {
    const char *uri;         /* see listen.h; NULL: systemd's or the default */
    int64_t timeout_seconds; /* ends when it had nothing to do for so long; 0: never */
};

/* Serves until SIGTERM, SIGINT, or its time is up. */
int service_run(const struct firn_options *firn, const struct service_options *options,
                struct error *err);
