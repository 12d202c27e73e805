#include "api/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/strv.h"

/* ---- paths ---- */

/* The decoded elements of "/a/b%2Fc?x". NULL: no path. */
static char **split_path(const char *target)
{
    size_t size = strcspn(target, "?#");
    _cleanup_strv_ char **parts = NULL;
    if (*target != '/')
        return NULL;
    for (size_t i = 0; i < size;) {
        size_t length = strcspn(target + i + 1, "/?#");
        char *part = url_decode(target + i + 1, length, false);
        if (!part)
            return NULL;
        strv_take(&parts, part);
        i += length + 1;
    }
    return take_ptr(parts);
}

/* "v1.41", "v4.3.1", "v5.0.0-dev" */
static bool is_version(const char *part)
{
    if (part[0] != 'v' || !isdigit((unsigned char)part[1]))
        return false;
    for (const char *p = part + 1; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
            return false;
    return true;
}

/* Does an element of a pattern take any text? "{name...}" takes more than one. */
static bool is_place(const char *pattern, size_t size, bool *ret_many)
{
    *ret_many = size > 5 && memcmp(pattern + size - 4, "...}", 4) == 0;
    return size > 2 && pattern[0] == '{' && pattern[size - 1] == '}';
}

/* Matches the elements from `parts` on. What stood at the places is added to `args`. */
static bool match(const char *pattern, char *const *parts, char ***args)
{
    bool many;
    for (; *pattern; parts++) {
        size_t size = strcspn(++pattern, "/");
        bool place = is_place(pattern, size, &many);
        if (!*parts || (!place && (strlen(*parts) != size || memcmp(*parts, pattern, size) != 0)))
            return false;
        if (place && !**parts)
            return false;
        pattern += size;
        if (!place)
            continue;
        _cleanup_buf_ struct buf value = {0};
        buf_add_string(&value, *parts);
        /* As many elements as leave enough for the rest of the pattern. */
        size_t rest = 0;
        for (const char *p = pattern; *p; p++)
            rest += *p == '/';
        while (many && strv_length(parts) > rest + 1)
            buf_printf(&value, "/%s", *++parts);
        strv_take(args, buf_take(&value));
    }
    return !*parts;
}

static bool try_route(const struct route *route, struct request *r, char *const *parts,
                      bool *ret_other_method)
{
    char **args = NULL;
    enum route_api api = r->libpod ? API_LIBPOD : API_DOCKER;
    if (!(route->api & api) || !match(route->pattern, parts, &args)) {
        strv_free(args);
        return false;
    }
    if (!string_equal(route->method, r->method)) {
        *ret_other_method = true;
        strv_free(args);
        return false;
    }
    r->route = route;
    r->args = args;
    return true;
}

int route_find(const struct route *const *tables, struct request *r)
{
    _cleanup_strv_ char **all = split_path(r->target);
    char *const *parts = all;
    bool other_method = false;
    if (!all)
        return 400;
    if (is_version(*parts))
        parts++;
    r->libpod = string_equal(*parts, "libpod");
    if (r->libpod)
        parts++;
    for (; *tables; tables++)
        for (const struct route *route = *tables; route->method; route++)
            if (try_route(route, r, parts, &other_method))
                return 200;
    return other_method ? 405 : 404;
}

/* ---- the query ---- */

static const struct option no_options[] = {{0}};

/* Text of a switch as JSON, so that one that is off says nothing (base/option.h). */
static struct json *plain_value(struct json *value)
{
    const char *text = js_text(value);
    if (text && (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0))
        return js_bool(tolower((unsigned char)*text) == 't');
    if (string_equal(text, "0"))
        return js_int(0);
    return js_ref(value);
}

/* What only asks may be asked with keys we do not know; what changes something may not. */
static int add_key(struct request *r, const struct option *table, const char *key,
                   struct json *value, struct json *known, struct error *err)
{
    char *lower = xstrdup(key);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    strv_take(&r->given, lower);
    if (option_has_key(table, key))
        js_set(known, key, plain_value(value));
    else if (r->route->flags & ROUTE_CHANGES)
        return error_kind_set(err, ERROR_USAGE, "unknown parameter \"%s\"", key);
    return 0;
}

int route_options(struct request *r, struct error *err)
{
    const struct option *table = r->route->options ? r->route->options : no_options;
    const char *query = strchr(r->target, '?');
    _cleanup_json_ struct json *o = NULL, *known = js_object();
    int e = query_parse(query ? query + 1 : NULL, &o, err);
    if (e < 0)
        return e;
    JSON_FOREACH_KEY(o, it)
    {
        e = add_key(r, table, js_iter_key(it), js_iter_value(it), known, err);
        if (e < 0)
            return e;
    }
    r->options = xcalloc(1, r->route->options_size + 1);
    e = option_from_json(table, r->options, known, err);
    return e < 0 ? error_wrap(err, "failed to parse parameters for %.200s", r->target) : 0;
}

void route_options_free(struct request *r)
{
    if (r->options && r->route->options)
        option_free(r->route->options, r->options);
    free(r->options);
    r->options = NULL;
}

int route_unsupported(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_free_ char *text =
        xasprintf("firn does not support %s %s", r->method, r->route->pattern);
    return reply_error_status(reply, 501, text);
}
