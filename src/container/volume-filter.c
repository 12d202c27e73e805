#include "container/volume-filter.h"

#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/strv.h"

/* 1 fits, 0 does not. */

struct matching {
    struct store *store;
    const char *value;
    struct error *err;
};

static int match_name(const struct volume *v, const struct matching *m)
{
    return strstr(v->name, m->value) != NULL;
}

static int match_driver(const struct volume *v, const struct matching *m)
{
    return string_equal(v->driver, m->value);
}

static int match_scope(const struct volume *v, const struct matching *m)
{
    return string_equal("local", m->value);
}

static int match_pair(const struct json *o, const char *pair)
{
    size_t size = strcspn(pair, "=");
    _cleanup_free_ char *key = xstrndup(pair, size);
    const char *value = js_get_string(o, key);
    return value && (!pair[size] || string_equal(value, pair + size + 1));
}

static int match_label(const struct volume *v, const struct matching *m)
{
    return match_pair(v->labels, m->value);
}

static int match_option(const struct volume *v, const struct matching *m)
{
    return match_pair(v->options, m->value);
}

static int match_dangling(const struct volume *v, const struct matching *m)
{
    _cleanup_strv_ char **users = NULL;
    int r = volume_users(m->store, v->name, &users, m->err);
    bool wanted = string_equal(m->value, "true") || string_equal(m->value, "1");
    return r < 0 ? r : (strv_length(users) == 0) == wanted;
}

static const struct {
    const char *name;
    int (*match)(const struct volume *, const struct matching *);
} filters_known[] = {
    {"name", match_name},   {"driver", match_driver}, {"scope", match_scope},
    {"label", match_label}, {"opt", match_option},    {"dangling", match_dangling},
};

static int match_one(struct store *s, const struct volume *v, const char *filter, struct error *err)
{
    size_t size = strcspn(filter, "=");
    struct matching m = {s, filter[size] ? filter + size + 1 : "", err};
    for (size_t i = 0; i < ARRAY_LEN(filters_known); i++)
        if (strlen(filters_known[i].name) == size &&
            memcmp(filters_known[i].name, filter, size) == 0)
            return v ? filters_known[i].match(v, &m) : 1;
    return error_kind_set(err, ERROR_USAGE, "\"%.*s\" is an invalid volume filter", (int)size,
                          filter);
}

int volume_filter_match(struct store *s, const struct volume *v, char *const *filters,
                        struct error *err)
{
    STRV_FOREACH(f, filters)
    {
        int r = match_one(s, v, *f, err);
        if (r <= 0)
            return r;
    }
    return 1;
}

int volume_filter_check(char *const *filters, struct error *err)
{
    int r = volume_filter_match(NULL, NULL, filters, err);
    return r < 0 ? r : 0;
}

int volume_prune(struct store *s, char *const *filters, char ***ret, struct error *err)
{
    _cleanup_volume_list_ struct volume_list list = {0};
    int r = volume_list(s, &list, err);
    for (size_t i = 0; r >= 0 && i < list.count; i++) {
        _cleanup_strv_ char **users = NULL;
        const char *name = list.items[i]->name;
        r = volume_filter_match(s, list.items[i], filters, err);
        if (r > 0)
            r = volume_users(s, name, &users, err);
        else
            continue;
        if (r < 0 || strv_length(users))
            continue;
        r = volume_remove(s, name, err);
        if (r >= 0)
            strv_add(ret, name);
    }
    return r < 0 ? r : 0;
}

int64_t volume_size(const struct volume *v)
{
    char *const paths[] = {v->mountpoint, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    int64_t size = 0;
    for (const FTSENT *e; walk && (e = fts_read(walk));)
        size += e->fts_info == FTS_F ? e->fts_statp->st_size : 0;
    if (walk)
        fts_close(walk);
    return size;
}
