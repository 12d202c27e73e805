/* Volumes. */
#include <string.h>

#include "api/filters.h"
#include "api/routes.h"
#include "base/strv.h"
#include "container/container.h"
#include "container/firn.h"
#include "container/remove.h"
#include "container/volume-filter.h"
#include "container/volume-report.h"
#include "store/volume.h"

struct filter_query {
    char *filters;
};
static const struct option filter_query[] = {
    {"filters", 0, OPTION_STRING, offsetof(struct filter_query, filters)},
    {0},
};

static int list(struct request *r, struct reply *reply, struct error *err)
{
    const struct filter_query *q = r->options;
    _cleanup_strv_ char **filters = NULL;
    _cleanup_volume_list_ struct volume_list volumes = {0};
    _cleanup_json_ struct json *rows = js_array();
    int e = filters_parse(q->filters, &filters, err);
    if (e >= 0)
        e = volume_filter_check(filters, err);
    if (e >= 0)
        e = volume_list(r->firn->store, &volumes, err);
    for (size_t i = 0; e >= 0 && i < volumes.count; i++) {
        e = volume_filter_match(r->firn->store, volumes.items[i], filters, err);
        if (e > 0)
            js_push(rows, volume_report(volumes.items[i]));
    }
    if (e < 0)
        return e;
    if (r->libpod)
        return reply_json(reply, 200, rows, err);
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "Volumes", js_ref(rows));
    js_set(o, "Warnings", js_array());
    return reply_json(reply, 200, o, err);
}

static int inspect(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_json_ struct json *o = NULL;
    int e = volume_report_inspect(r->firn, r->args[0], &o, err);
    return e < 0 ? e : reply_json(reply, 200, o, err);
}

static int exists(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_volume_ struct volume *v = NULL;
    int e = volume_lookup(r->firn->store, r->args[0], &v, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

/* {"k": "v"}: nothing but texts. */
static int check_texts(const struct json *o, const char *what, struct error *err)
{
    if (o && !js_is_null(o) && !js_is_object(o))
        return error_kind_set(err, ERROR_USAGE, "\"%s\" is no object", what);
    JSON_FOREACH_KEY((struct json *)o, it)
    {
        if (!js_is_string(js_iter_value(it)))
            return error_kind_set(err, ERROR_USAGE, "\"%s\" in \"%s\" is no text", js_iter_key(it),
                                  what);
    }
    return 0;
}

static int create(struct request *r, struct reply *reply, struct error *err)
{
    const char *name = js_get_string(r->json, "Name"), *driver = js_get_string(r->json, "Driver");
    const struct json *labels = js_get(r->json, "Labels"), *options;
    if (!labels || js_is_null(labels))
        labels = js_get(r->json, "Label");
    options = js_get(r->json, r->libpod ? "Options" : "DriverOpts");
    const struct volume_options o = {
        .name = name && *name ? name : NULL,
        .driver = driver && *driver ? driver : NULL,
        .labels = js_is_object(labels) ? labels : NULL,
        .options = js_is_object(options) ? options : NULL,
        /* Docker gives back what is there. */
        .ignore_existing = !r->libpod || js_get_bool(r->json, "IgnoreIfExists", false),
    };
    _cleanup_volume_ struct volume *v = NULL;
    int e = check_texts(labels, "Labels", err);
    if (e >= 0)
        e = check_texts(options, "Options", err);
    if (e >= 0)
        e = volume_create(r->firn->store, &o, &v, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *report = volume_report(v);
    return reply_json(reply, 201, report, err);
}

struct remove_query {
    bool force;
    char *timeout;
};
static const struct option remove_query[] = {
    {"force", 0, OPTION_BOOL, offsetof(struct remove_query, force)},
    {"timeout", 0, OPTION_STRING, offsetof(struct remove_query, timeout), .check = OPTION_INT},
    {0},
};

static int remove_users(struct firn *firn, const char *name, struct error *err)
{
    static const struct remove_options options = {.force = true, .timeout_seconds = -1};
    _cleanup_strv_ char **users = NULL;
    int r = volume_users(firn->store, name, &users, err);
    for (char **id = users; r >= 0 && id && *id; id++) {
        _cleanup_container_ struct container *c = NULL;
        r = container_lookup(firn, *id, &c, err);
        if (r >= 0)
            r = container_remove(c, &options, err);
    }
    return r;
}

static int remove_it(struct request *r, struct reply *reply, struct error *err)
{
    const struct remove_query *q = r->options;
    _cleanup_volume_ struct volume *v = NULL;
    int e = volume_lookup(r->firn->store, r->args[0], &v, err);
    /* Podman takes the containers along, Docker does not. */
    if (e >= 0 && q->force && r->libpod)
        e = remove_users(r->firn, v->name, err);
    if (e >= 0)
        e = volume_remove(r->firn->store, v->name, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

static int prune(struct request *r, struct reply *reply, struct error *err)
{
    const struct filter_query *q = r->options;
    _cleanup_strv_ char **filters = NULL, **names = NULL;
    int e = filters_parse(q->filters, &filters, err);
    if (e >= 0)
        e = volume_filter_check(filters, err);
    if (e >= 0)
        e = volume_prune(r->firn->store, filters, &names, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = r->libpod ? js_array() : js_object();
    if (!r->libpod) {
        js_set(o, "VolumesDeleted", js_strings(names));
        js_set(o, "SpaceReclaimed", js_int(0));
    }
    STRV_FOREACH(name, r->libpod ? names : NULL)
    {
        struct json *one = js_object();
        js_set(one, "Id", js_string(*name));
        js_set(one, "Size", js_int(0));
        js_push(o, one);
    }
    return reply_json(reply, 200, o, err);
}

const struct route volumes_routes[] = {
    {"GET", API_LIBPOD, "/volumes/json", list, OPTIONS(filter_query, filter_query)},
    {"GET", API_DOCKER, "/volumes", list, OPTIONS(filter_query, filter_query)},
    {"GET", API_LIBPOD, "/volumes/{name}/json", inspect},
    {"GET", API_LIBPOD, "/volumes/{name}/exists", exists},
    {"GET", API_DOCKER, "/volumes/{name}", inspect},
    {"POST", API_BOTH, "/volumes/create", create, .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"POST", API_BOTH, "/volumes/prune", prune, OPTIONS(filter_query, filter_query), ROUTE_CHANGES},
    {"DELETE", API_BOTH, "/volumes/{name}", remove_it, OPTIONS(remove_query, remove_query),
     ROUTE_CHANGES},
    {0},
};
