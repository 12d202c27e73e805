#include "container/filter.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/state.h"
#include "store/reference.h"

struct filter_term {
    const struct filter_key *key;
    char *value;
    int64_t number;
};

/* --- keys ---------------------------------------------------------------------------------- */

static int check_regex(struct firn *firn, const char *value, int64_t *number, struct error *err)
{
    regex_t re;
    if (regcomp(&re, value, REG_EXTENDED | REG_NOSUB) != 0)
        return error_kind_set(err, ERROR_USAGE, "error parsing regexp: `%s`", value);
    regfree(&re);
    return 0;
}

static int matches_regex(const char *pattern, const char *text)
{
    regex_t re;
    if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return 0;
    int found = regexec(&re, text, 0, NULL, 0) == 0;
    regfree(&re);
    return found;
}

static int match_id(struct container *c, const char *value, int64_t number, struct error *err)
{
    return string_starts(c->id, value) || matches_regex(value, c->id);
}

static int match_name(struct container *c, const char *value, int64_t number, struct error *err)
{
    return matches_regex(value, c->name);
}

static int match_label(struct container *c, const char *value, int64_t number, struct error *err)
{
    const char *equals = strchr(value, '=');
    _cleanup_free_ char *key = equals ? xstrndup(value, (size_t)(equals - value)) : xstrdup(value);
    const char *label = js_get_string(container_labels(c), key);
    return label && (!equals || strcmp(label, equals + 1) == 0);
}

static int match_no_label(struct container *c, const char *value, int64_t number, struct error *err)
{
    return !match_label(c, value, number, err);
}

static int check_status(struct firn *firn, const char *value, int64_t *number, struct error *err)
{
    int state = container_state_parse(value);
    if (state < 0 && strcmp(value, "unknown") != 0)
        return error_kind_set(err, ERROR_USAGE, "unknown container state: %s: invalid argument",
                              value);
    *number = state;
    return 0;
}

static int match_status(struct container *c, const char *value, int64_t number, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    bool ended = s.state == CONTAINER_STOPPED || s.state == CONTAINER_EXITED;
    return (int64_t)s.state == number || (ended && number == CONTAINER_EXITED) ||
           (ended && number == CONTAINER_STOPPED);
}

static int check_number(struct firn *firn, const char *value, int64_t *number, struct error *err)
{
    char *end;
    *number = strtoll(value, &end, 10);
    return *value && !*end
               ? 0
               : error_kind_set(err, ERROR_USAGE,
                                "exited code out of range \"%s\": invalid argument", value);
}

static int match_exited(struct container *c, const char *value, int64_t number, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    bool ended = s.state == CONTAINER_STOPPED || s.state == CONTAINER_EXITED;
    return ended && s.exit_code == number;
}

static int match_ancestor(struct container *c, const char *value, int64_t number, struct error *err)
{
    const char *id = container_image_id(c), *name = container_image_name(c);
    const char *bare = string_after(value, "sha256:") ? string_after(value, "sha256:") : value;
    if ((id && string_starts(id, bare)) || strcmp(name, value) == 0)
        return 1;
    _cleanup_strv_ char **candidates = NULL;
    struct error ignored;
    if (reference_local_candidates(value, &candidates, &ignored) < 0)
        return 0;
    return strv_contains(candidates, name);
}

static int check_container(struct firn *firn, const char *value, int64_t *number, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int r = container_lookup(firn, value, &c, err);
    if (r == 0)
        *number = c->created_at;
    return r;
}

static int match_before(struct container *c, const char *value, int64_t number, struct error *err)
{
    return c->created_at < number;
}

static int match_since(struct container *c, const char *value, int64_t number, struct error *err)
{
    return c->created_at > number;
}

static int check_time(struct firn *firn, const char *value, int64_t *number, struct error *err)
{
    return time_parse(value, number, err);
}

static int match_volume(struct container *c, const char *value, int64_t number, struct error *err)
{
    const struct json *volumes = js_get(c->config, "namedVolumes");
    JSON_FOREACH(volumes, i)
    {
        if (string_equal(js_get_string(js_at(volumes, i), "volumeName"), value) ||
            string_equal(js_get_string(js_at(volumes, i), "dest"), value))
            return 1;
    }
    const struct json *mounts = js_path(c->config, "spec", "mounts", NULL);
    JSON_FOREACH(mounts, i)
    {
        if (string_equal(js_get_string(js_at(mounts, i), "type"), "bind") &&
            (string_equal(js_get_string(js_at(mounts, i), "source"), value) ||
             string_equal(js_get_string(js_at(mounts, i), "destination"), value)))
            return 1;
    }
    return 0;
}

static int match_network(struct container *c, const char *value, int64_t number, struct error *err)
{
    return string_equal(js_get_string(c->config, "networkMode"), value) ||
           js_get(js_get(c->config, "newNetworks"), value);
}

static int match_command(struct container *c, const char *value, int64_t number, struct error *err)
{
    _cleanup_strv_ char **command = container_command(c);
    return command && command[0] && string_equal(command[0], value);
}

static int match_nothing(struct container *c, const char *value, int64_t number, struct error *err)
{
    return 0;
}

const struct filter_key filter_ps_keys[] = {
    {"id", check_regex, match_id, false},
    {"name", check_regex, match_name, false},
    {"label", NULL, match_label, true},
    {"label!", NULL, match_no_label, true},
    {"status", check_status, match_status, false},
    {"exited", check_number, match_exited, false},
    {"ancestor", NULL, match_ancestor, false},
    {"before", check_container, match_before, false},
    {"since", check_container, match_since, false},
    {"until", check_time, match_before, false},
    {"volume", NULL, match_volume, false},
    {"network", NULL, match_network, false},
    {"command", NULL, match_command, false},
    {"health", NULL, match_nothing, false},
    {"pod", NULL, match_nothing, false},
    {0},
};

const struct filter_key filter_prune_keys[] = {
    {"label", NULL, match_label, true},
    {"label!", NULL, match_no_label, true},
    {"until", check_time, match_before, false},
    {0},
};

/* --- parsing and matching ------------------------------------------------------------------ */

static const struct filter_key *find_key(const struct filter_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (strcmp(keys->name, name) == 0)
            return keys;
    return NULL;
}

int filter_parse(struct firn *firn, const struct filter_key *keys, char *const *texts,
                 struct filter *ret, struct error *err)
{
    _cleanup_filter_ struct filter f = {0};
    STRV_FOREACH(text, texts)
    {
        const char *equals = strchr(*text, '=');
        _cleanup_free_ char *name =
            equals ? xstrndup(*text, (size_t)(equals - *text)) : xstrdup(*text);
        const struct filter_key *key = find_key(keys, name);
        if (!key || !equals)
            return error_kind_set(err, ERROR_USAGE, "%s is an invalid filter", name);
        struct filter_term term = {.key = key, .number = 0};
        int r = key->check ? key->check(firn, equals + 1, &term.number, err) : 0;
        if (r < 0)
            return r;
        term.value = xstrdup(equals + 1);
        array_reserve(f.terms, f.count, f.room);
        f.terms[f.count++] = term;
    }
    *ret = f;
    f = (struct filter){0};
    return 0;
}

/* All terms of one key: any of them, or all. */
static int match_key(const struct filter *f, const struct filter_key *key, struct container *c,
                     struct error *err)
{
    bool any = false, all = true;
    for (size_t i = 0; i < f->count; i++) {
        if (f->terms[i].key != key)
            continue;
        int r = key->match(c, f->terms[i].value, f->terms[i].number, err);
        if (r < 0)
            return r;
        any = any || r;
        all = all && r;
    }
    return key->all_must_match ? all : any;
}

int filter_match(const struct filter *f, struct container *c, struct error *err)
{
    for (size_t i = 0; i < f->count; i++) {
        int r = match_key(f, f->terms[i].key, c, err);
        if (r <= 0)
            return r;
    }
    return 1;
}

void filter_clear(struct filter *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->terms[i].value);
    free(f->terms);
    *f = (struct filter){0};
}

int container_list_filtered(struct firn *firn, char *const *filters, struct container_list *ret,
                            struct error *err)
{
    _cleanup_filter_ struct filter f = {0};
    _cleanup_container_list_ struct container_list all = {0};
    int r = filter_parse(firn, filter_ps_keys, filters, &f, err);
    if (r == 0)
        r = container_list_all(firn, &all, err);
    _cleanup_container_list_ struct container_list kept = {0};
    for (size_t i = 0; r >= 0 && i < all.count; i++) {
        r = filter_match(&f, all.items[i], err);
        if (r > 0)
            container_list_add(&kept, take_ptr(all.items[i]));
    }
    if (r < 0)
        return r;
    *ret = kept;
    kept = (struct container_list){0};
    return 0;
}
