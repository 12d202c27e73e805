#include "container/image-filter.h"

#include <fnmatch.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"

struct matching {
    struct store *store;
    const char *value;
    struct error *err;
};

static bool is_true(const char *value)
{
    return string_equal(value, "true") || string_equal(value, "1") || string_equal(value, "t");
}

/* ---- one function per filter: 1 fits, 0 does not, negative failed ---- */

static int match_dangling(const struct image *i, const struct matching *m)
{
    return (strv_length(i->names) == 0) == is_true(m->value);
}

static int match_never(const struct image *i, const struct matching *m)
{
    return !is_true(m->value);
}

static int match_id(const struct image *i, const struct matching *m)
{
    return string_starts(i->id, m->value);
}

static int match_label(const struct image *i, const struct matching *m)
{
    size_t size = strcspn(m->value, "=");
    _cleanup_free_ char *key = xstrndup(m->value, size);
    const char *value = js_get_string(image_labels(i), key);
    return value && (!m->value[size] || string_equal(value, m->value + size + 1));
}

/* A pattern matches a whole name, or what stands behind its slashes, with or without the tag. */
static bool name_matches(const char *name, const char *pattern)
{
    _cleanup_free_ char *bare = xstrdup(name);
    char *colon = strrchr(bare, ':');
    if (colon && !strchr(colon, '/'))
        *colon = 0;
    for (const char *n = name, *b = bare; n; n = strchr(n, '/'), b = strchr(b, '/')) {
        n += *n == '/';
        b += *b == '/';
        if (fnmatch(pattern, n, 0) == 0 || fnmatch(pattern, b, 0) == 0)
            return true;
        if (!strchr(b, '/'))
            break;
    }
    return false;
}

static int match_reference(const struct image *i, const struct matching *m)
{
    STRV_FOREACH(name, i->names)
    if (name_matches(*name, m->value))
        return 1;
    return 0;
}

static int match_containers(const struct image *i, const struct matching *m)
{
    _cleanup_strv_ char **users = NULL;
    int r = image_users(m->store, i->id, &users, m->err);
    return r < 0 ? r : (strv_length(users) > 0) == is_true(m->value);
}

static int created_of(const struct matching *m, int64_t *ret)
{
    _cleanup_image_ struct image *other = NULL;
    int r = image_lookup(m->store, m->value, &other, m->err);
    if (r < 0)
        return r;
    *ret = other->created;
    return 0;
}

static int match_before(const struct image *i, const struct matching *m)
{
    int64_t limit;
    int r = created_of(m, &limit);
    return r < 0 ? r : i->created < limit;
}

static int match_since(const struct image *i, const struct matching *m)
{
    int64_t limit;
    int r = created_of(m, &limit);
    return r < 0 ? r : i->created > limit;
}

static int match_until(const struct image *i, const struct matching *m)
{
    int64_t limit;
    int r = time_parse(m->value, &limit, m->err);
    return r < 0 ? r : i->created < limit;
}

static const struct {
    const char *name;
    int (*match)(const struct image *, const struct matching *);
} filters_known[] = {
    {"after", match_since},       {"before", match_before},  {"containers", match_containers},
    {"dangling", match_dangling}, {"id", match_id},          {"intermediate", match_never},
    {"label", match_label},       {"readonly", match_never}, {"reference", match_reference},
    {"since", match_since},       {"until", match_until},
};

static int match_one(struct store *s, const struct image *i, const char *filter, struct error *err)
{
    size_t size = strcspn(filter, "=");
    if (!filter[size])
        return error_kind_set(err, ERROR_USAGE,
                              "invalid image filter \"%s\": must be in the format "
                              "\"filter=value or filter!=value\"",
                              filter);
    bool negated = size > 0 && filter[size - 1] == '!';
    struct matching m = {s, filter + size + 1, err};
    size -= negated;
    for (size_t k = 0; k < ARRAY_LEN(filters_known); k++) {
        if (strlen(filters_known[k].name) != size || memcmp(filters_known[k].name, filter, size))
            continue;
        int r = filters_known[k].match(i, &m);
        return r < 0 ? r : (r > 0) != negated;
    }
    return error_kind_set(err, ERROR_USAGE, "unsupported image filter \"%.*s\"", (int)size, filter);
}

static int match_all(struct store *s, const struct image *i, char *const *filters,
                     struct error *err)
{
    STRV_FOREACH(f, filters)
    {
        int r = match_one(s, i, *f, err);
        if (r <= 0)
            return r;
    }
    return 1;
}

/* A bad filter is an error also when there is no image to hold against it. */
static int check_filters(struct store *s, char *const *filters, struct error *err)
{
    static const struct image nothing = {.id = (char *)""};
    STRV_FOREACH(f, filters)
    {
        bool looks_up = string_starts(*f, "containers=");
        int r = looks_up ? 0 : match_one(s, &nothing, *f, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the IMAGE argument ---- */

/* Keeps the names that are of the repository (or are the very name); false: none is. */
static bool keep_names(struct image *i, const char *name)
{
    char **kept = NULL;
    STRV_FOREACH(n, i->names)
    if (name_matches(*n, name))
        strv_add(&kept, *n);
    strv_free(i->names);
    i->names = kept;
    return kept;
}

static bool is_asked_for(struct image *i, const char *name)
{
    if (!name)
        return true;
    if (strlen(name) >= 3 && string_starts(i->id, name))
        return true;
    return keep_names(i, name);
}

int image_filter_list(struct store *s, const char *name, char *const *filters,
                      struct image_list *ret, struct error *err)
{
    int r = check_filters(s, filters, err);
    if (r >= 0)
        r = image_list(s, ret, err);
    if (r < 0)
        return r;
    size_t kept = 0;
    for (size_t k = 0; k < ret->count; k++) {
        struct image *i = ret->items[k];
        ret->items[k] = NULL;
        int fits = r < 0 ? 0 : match_all(s, i, filters, err);
        if (fits > 0)
            fits = is_asked_for(i, name);
        if (fits > 0)
            ret->items[kept++] = i;
        else
            image_release(i);
        r = fits < 0 ? fits : r;
    }
    ret->count = kept;
    return r < 0 ? r : 0;
}
