#include "engine/extra.h"

#include <inttypes.h>
#include <stdio.h>

static struct json *child(struct json *o, const char *key)
{
    if (!js_get(o, key))
        js_set(o, key, js_object());
    return js_get(o, key);
}

struct json *extra_of(struct json *extra, const char *kind, uint64_t id)
{
    char key[24];
    snprintf(key, sizeof(key), "%" PRIu64, id);
    return child(child(extra, kind), key);
}

struct json *extra_find(const struct json *extra, const char *kind, uint64_t id)
{
    char key[24];
    snprintf(key, sizeof(key), "%" PRIu64, id);
    return js_path(extra, kind, key, NULL);
}
