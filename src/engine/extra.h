/* What CRIU's messages have no place for goes into one JSON document, firn-extra.json, next to the
 * images. A checkpoint without it restores with less.
 *
 *     js_set(extra_of(d->extra, "threads", tid), "timerSlack", js_int(50000));
 *     js_get_int(extra_find(r->extra, "threads", tid), "timerSlack", 0);
 */
#pragma once

#include <stdint.h>

#include "base/json.h"

#define EXTRA_FILE "firn-extra.json"

/* The object kept for number `id` (a pid, a file id) of a kind, made if it is not there. */
struct json *extra_of(struct json *extra, const char *kind, uint64_t id);
/* NULL if there is none. */
struct json *extra_find(const struct json *extra, const char *kind, uint64_t id);
