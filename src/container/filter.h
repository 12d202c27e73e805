/* --filter of ps, prune and everything that takes --all. */
#pragma once

#include "container/container.h"

struct filter_term;
struct filter {
    struct filter_term *terms;
    size_t count;
    size_t room;
};

/* One key that may be used in a filter. */
struct filter_key {
    const char *name;
    /* Is `value` usable? NULL: always. May change `number` for matches to use. */
    int (*check)(struct firn *firn, const char *value, int64_t *number, struct error *err);
    /* 1 matches, 0 does not, negative: failed. */
    int (*match)(struct container *c, const char *value, int64_t number, struct error *err);
    bool all_must_match; /* several values of the key: all of them, not any */
};

/* The keys of `ps`, and those of `prune`; each list ends with a NULL name. */
extern const struct filter_key filter_ps_keys[];
extern const struct filter_key filter_prune_keys[];

/* "key=value" each. `bogus is an invalid filter`. */
int filter_parse(struct firn *firn, const struct filter_key *keys, char *const *texts,
                 struct filter *ret, struct error *err);
int filter_match(const struct filter *f, struct container *c, struct error *err);
void filter_clear(struct filter *f);
#define _cleanup_filter_ _cleanup_(filter_clear)
