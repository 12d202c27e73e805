/* Several things done by one command, some of which fail: every failure is one "Error: ..." line;
 * the last is returned, and printed by main.c.
 *
 *     struct failures f = {0};
 *     ...
 *     if (r < 0)
 *         failures_add(&f, &one);
 *     return failures_end(&f, err);
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct failures {
    struct error last;
    bool any;
};

void failures_add(struct failures *f, const struct error *one);
/* 0, or the last failure. */
int failures_end(const struct failures *f, struct error *err);
