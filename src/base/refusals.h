/* Reasons why something cannot be done, collected so that all are told at once.
 *
 *     struct refusals no = {0};
 *     refusals_add(&no, "process %d (%s) of container %s holds ...", ...);
 *     r = refusals_take(&no, judge_something(x, err), err);  // a refusal is noted, r is 0
 *     if (r == 0)
 *         r = refusals_report(&no, err, "container %s cannot be checkpointed", name);
 *     refusals_clear(&no);
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

#define REFUSALS_KEPT 64

struct refusals {
    char *reasons[REFUSALS_KEPT]; /* each one a sentence, as in error.h; none twice */
    size_t count;                 /* also of those that were not kept */
    int code;                     /* of the first one taken from an error; 0: none */
    enum error_kind kind;
};

void refusals_add(struct refusals *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* `r` is what a function returned that had `err`. If it is a refusal (ENOTSUP: nobody can do it;
 * EPERM: this user may not), its text is noted, `err` cleared, and 0 returned. Everything else,
 * success and failure, is returned as it is. */
int refusals_take(struct refusals *f, int r, struct error *err);

/* The same for any error but ERROR_CANCELLED: where what is judged is broken or missing, that is a
 * reason too. */
int refusals_take_any(struct refusals *f, int r, struct error *err);

/* 0 if there are none. Else an error: the reason alone if it is the only one, or
 * "<format> for 3 reasons:" with a line for each, the first twenty of them. */
int refusals_report(const struct refusals *f, struct error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends all of `from`, which is empty then. */
void refusals_move(struct refusals *f, struct refusals *from);
void refusals_clear(struct refusals *f);
