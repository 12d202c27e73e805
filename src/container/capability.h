/* Capabilities by name. Sets are bit masks, bit n = capability n. */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

/* "CAP_CHOWN", "chown", ...: the number, or -EINVAL without error text. */
int capability_parse(const char *name);
/* "CAP_CHOWN"; NULL for a number without a name. */
const char *capability_name(int number);
/* What `run` gives by default. */
uint64_t capability_defaults(void);
/* Our own bounding set: no container can have more. */
uint64_t capability_bounding(void);
/* The mask of a JSON array of names, and the reverse. */
uint64_t capability_mask(const struct json *names);
struct json *capability_names(uint64_t mask);
/* Applies --cap-add and --cap-drop (each element a comma list, "all" allowed) to `base`.
 * `unknown capability "CAP_BOGUS": invalid argument`. */
int capability_merge(uint64_t base, char *const *add, char *const *drop, uint64_t *ret,
                     struct error *err);
