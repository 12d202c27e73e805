/* Images: shown, named, removed. Where they come from and go to: images-transfer.c. */
#include <string.h>

#include "api/filters.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/container.h"
#include "container/firn.h"
#include "container/image-filter.h"
#include "container/image-report.h"
#include "container/remove.h"
#include "store/image.h"
#include "store/reference.h"

/* ---- lists ---- */

struct list_query {
    bool all, digests, shared_size;
    char *filters, *filter;
};
static const struct option list_query[] = {
    {"all", 0, OPTION_BOOL, offsetof(struct list_query, all)},
    {"digests", 0, OPTION_BOOL, offsetof(struct list_query, digests)},
    {"shared-size", 0, OPTION_BOOL, offsetof(struct list_query, shared_size)},
    {"filters", 0, OPTION_STRING, offsetof(struct list_query, filters)},
    {"filter", 0, OPTION_STRING, offsetof(struct list_query, filter)},
    {0},
};

static void prefix_id(struct json *o, const char *key)
{
    const char *id = js_get_string(o, key);
    if (!id || !*id || string_starts(id, "sha256:"))
        return;
    _cleanup_free_ char *text = xasprintf("sha256:%s", id);
    js_set(o, key, js_string(text));
}

static void fill_in(struct json *o, const char *key, struct json *value)
{
    if (!js_get(o, key) || js_is_null(js_get(o, key)))
        js_set(o, key, value);
    else
        js_unref(value);
}

static int list(struct request *r, struct reply *reply, struct error *err)
{
    const struct list_query *q = r->options;
    _cleanup_strv_ char **filters = NULL;
    _cleanup_image_list_ struct image_list images = {0};
    _cleanup_json_ struct json *result = js_array();
    int e = filters_parse(q->filters, &filters, err);
    if (e >= 0)
        e = image_filter_list(r->firn->store, q->filter, filters, &images, err);
    for (size_t i = 0; e >= 0 && i < images.count; i++) {
        _cleanup_strv_ char **users = NULL;
        e = image_users(r->firn->store, images.items[i]->id, &users, err);
        if (e < 0)
            break;
        struct json *o = image_report_entry(images.items[i], strv_length(users));
        if (!r->libpod) {
            prefix_id(o, "Id");
            fill_in(o, "RepoTags", js_array());
            fill_in(o, "Labels", js_object());
        }
        js_push(result, o);
    }
    return e < 0 ? e : reply_json(reply, 200, result, err);
}

/* ---- one ---- */

static int not_found(const char *name, struct error *err)
{
    return error_kind_set(err, ERROR_NOT_FOUND,
                          "failed to find image %s: %s: No such image: %s: no such image", name,
                          name, name);
}

static int inspect(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_json_ struct json *o = NULL;
    int e = image_report_inspect(r->firn, r->args[0], &o, err);
    if (e < 0)
        return err->kind == ERROR_NOT_FOUND ? not_found(r->args[0], err) : e;
    if (!r->libpod)
        prefix_id(o, "Id");
    return reply_json(reply, 200, o, err);
}

static int exists(struct request *r, struct reply *reply, struct error *err)
{
    int e = image_known(r->firn->store, r->args[0], err);
    if (e == 0)
        return not_found(r->args[0], err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

static struct json *history_entry(const struct image *i, const struct json *h, bool newest)
{
    static const char *const texts[][2] = {{"CreatedBy", "created_by"}, {"Comment", "comment"}};
    struct json *o = js_object();
    int64_t created = i->created;
    const char *when = js_get_string(h, "created");
    if (when)
        time_parse(when, &created, NULL);
    js_set(o, "Id", js_string(newest ? i->id : "<missing>"));
    js_set(o, "Created", js_int(created / 1000000000));
    for (size_t n = 0; n < ARRAY_LEN(texts); n++) {
        const char *text = js_get_string(h, texts[n][1]);
        js_set(o, texts[n][0], js_string(text ? text : ""));
    }
    js_set(o, "Size", js_int(newest ? i->size : 0));
    js_set(o, "Tags", newest ? js_strings(i->names) : js_null());
    return o;
}

static int history(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_image_ struct image *i = NULL;
    int e = image_lookup(r->firn->store, r->args[0], &i, err);
    if (e < 0)
        return err->kind == ERROR_NOT_FOUND ? not_found(r->args[0], err) : e;
    _cleanup_json_ struct json *result = js_array();
    const struct json *list = js_get(i->config, "history");
    for (size_t n = js_count(list); n-- > 0;)
        js_push(result, history_entry(i, js_at(list, n), n + 1 == js_count(list)));
    return reply_json(reply, 200, result, err);
}

/* ---- names ---- */

struct name_query {
    char *repo, *tag;
};
static const struct option name_query[] = {
    {"repo", 0, OPTION_STRING, offsetof(struct name_query, repo)},
    {"tag", 0, OPTION_STRING, offsetof(struct name_query, tag)},
    {0},
};

static char *full_name(const struct name_query *q)
{
    return q->tag ? xasprintf("%s:%s", q->repo, q->tag) : xstrdup(q->repo);
}

static int tag(struct request *r, struct reply *reply, struct error *err)
{
    const struct name_query *q = r->options;
    if (!q->repo)
        return error_kind_set(err, ERROR_USAGE, "repo parameter is required to tag an image");
    _cleanup_free_ char *name = full_name(q);
    int e = image_tag(r->firn->store, r->args[0], name, err);
    return e < 0 ? e : reply_empty(reply, 201, err);
}

static int untag(struct request *r, struct reply *reply, struct error *err)
{
    const struct name_query *q = r->options;
    if (q->tag && !q->repo)
        return error_kind_set(err, ERROR_USAGE, "repo parameter is required to untag an image");
    _cleanup_strv_ char **names = NULL;
    if (q->repo)
        strv_take(&names, full_name(q));
    int e = image_untag(r->firn->store, r->args[0], names, err);
    return e < 0 ? e : reply_empty(reply, 201, err);
}

/* ---- removing ---- */

struct remove_query {
    bool all, force, ignore, no_prune, lookup_manifest;
    char **images;
};
static const struct option remove_query[] = {
    {"all", 0, OPTION_BOOL, offsetof(struct remove_query, all)},
    {"force", 0, OPTION_BOOL, offsetof(struct remove_query, force)},
    {"ignore", 0, OPTION_BOOL, offsetof(struct remove_query, ignore)},
    {"noprune", 0, OPTION_BOOL, offsetof(struct remove_query, no_prune)},
    {"lookupManifest", 0, OPTION_BOOL, offsetof(struct remove_query, lookup_manifest)},
    {"images", 0, OPTION_STRINGS, offsetof(struct remove_query, images)},
    {0},
};

struct removed {
    char **untagged, **deleted;
};

static void removed_clear(struct removed *r)
{
    strv_free(r->untagged);
    strv_free(r->deleted);
}

static int remove_users(struct firn *firn, const char *name, struct error *err)
{
    static const struct remove_options options = {.force = true, .timeout_seconds = -1};
    _cleanup_image_ struct image *image = NULL;
    _cleanup_strv_ char **users = NULL;
    int r = image_lookup(firn->store, name, &image, err);
    if (r >= 0)
        r = image_users(firn->store, image->id, &users, err);
    for (char **id = users; r >= 0 && id && *id; id++) {
        _cleanup_container_ struct container *c = NULL;
        r = container_lookup(firn, *id, &c, err);
        if (r >= 0)
            r = container_remove(c, &options, err);
    }
    return r;
}

static int remove_one(struct firn *firn, const char *name, bool force, struct removed *ret,
                      struct error *err)
{
    _cleanup_strv_ char **untagged = NULL;
    _cleanup_free_ char *id = NULL;
    int r = image_remove(firn->store, name, force, &untagged, &id, err);
    if (r < 0 && err->kind == ERROR_IN_USE && force) {
        r = remove_users(firn, name, err);
        if (r >= 0)
            r = image_remove(firn->store, name, true, &untagged, &id, err);
    }
    if (r < 0)
        return r;
    strv_add_all(&ret->untagged, untagged);
    if (id)
        strv_add(&ret->deleted, id);
    return 0;
}

static int all_ids(struct firn *firn, char ***names, struct error *err)
{
    _cleanup_image_list_ struct image_list list = {0};
    int r = image_list(firn->store, &list, err);
    for (size_t i = 0; i < list.count; i++)
        strv_add(names, list.items[i]->id);
    return r;
}

/* Always 200: what failed is told in the body, with the exit code of `rmi`. */
static int remove_several(struct request *r, struct reply *reply, struct error *err)
{
    const struct remove_query *q = r->options;
    _cleanup_strv_ char **names = strv_copy(q->images), **errors = NULL;
    _cleanup_(removed_clear) struct removed removed = {0};
    int code = 0;
    int e = q->all ? all_ids(r->firn, &names, err) : 0;
    if (e < 0)
        return e;
    STRV_FOREACH(name, names)
    {
        struct error one = {0};
        if (remove_one(r->firn, *name, q->force || q->all, &removed, &one) >= 0 ||
            (q->ignore && one.kind == ERROR_NOT_FOUND))
            continue;
        strv_add(&errors, one.text);
        int own = one.kind == ERROR_NOT_FOUND ? 1 : one.kind == ERROR_IN_USE ? 2 : 125;
        code = own == 2 || !code ? own : code;
    }
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "Untagged", js_strings(removed.untagged));
    js_set(o, "Deleted", js_strings(removed.deleted));
    js_set(o, "ExitCode", js_int(code));
    js_set(o, "Errors", errors ? js_strings(errors) : js_null());
    return reply_json(reply, 200, o, err);
}

static int remove_named(struct request *r, struct reply *reply, struct error *err)
{
    const struct remove_query *q = r->options;
    _cleanup_(removed_clear) struct removed removed = {0};
    int e = remove_one(r->firn, r->args[0], q->force, &removed, err);
    if (e < 0)
        return err->kind == ERROR_NOT_FOUND ? not_found(r->args[0], err) : e;
    _cleanup_json_ struct json *o = r->libpod ? js_object() : js_array();
    if (r->libpod) {
        js_set(o, "Untagged", js_strings(removed.untagged));
        js_set(o, "Deleted", js_strings(removed.deleted));
        js_set(o, "ExitCode", js_int(0));
        js_set(o, "Errors", js_null());
        return reply_json(reply, 200, o, err);
    }
    STRV_FOREACH(name, removed.untagged)
    {
        struct json *one = js_object();
        js_set(one, "Untagged", js_string(*name));
        js_push(o, one);
    }
    STRV_FOREACH(id, removed.deleted)
    {
        struct json *one = js_object();
        js_set(one, "Deleted", js_string(*id));
        prefix_id(one, "Deleted");
        js_push(o, one);
    }
    return reply_json(reply, 200, o, err);
}

struct prune_query {
    bool all, external;
    char *filters;
};
static const struct option prune_query[] = {
    {"all", 0, OPTION_BOOL, offsetof(struct prune_query, all)},
    {"external", 0, OPTION_BOOL, offsetof(struct prune_query, external)},
    {"filters", 0, OPTION_STRING, offsetof(struct prune_query, filters)},
    {0},
};

/* Docker asks for all of them by the filter dangling=false. */
static bool take_all(char ***filters)
{
    char **rest = NULL;
    bool all = false;
    STRV_FOREACH(f, *filters)
    {
        if (string_equal(*f, "dangling=false") || string_equal(*f, "dangling=0"))
            all = true;
        else if (!string_starts(*f, "dangling="))
            strv_add(&rest, *f);
    }
    strv_free(*filters);
    *filters = rest;
    return all;
}

static int prune(struct request *r, struct reply *reply, struct error *err)
{
    const struct prune_query *q = r->options;
    _cleanup_strv_ char **filters = NULL;
    _cleanup_image_list_ struct image_list images = {0};
    _cleanup_json_ struct json *list = js_array();
    int64_t size = 0;
    int e = filters_parse(q->filters, &filters, err);
    bool all = e >= 0 && (take_all(&filters) || q->all);
    if (e >= 0)
        e = image_filter_list(r->firn->store, NULL, filters, &images, err);
    for (size_t i = 0; e >= 0 && i < images.count; i++) {
        const struct image *image = images.items[i];
        _cleanup_strv_ char **users = NULL;
        e = image_users(r->firn->store, image->id, &users, err);
        if (e < 0 || strv_length(users) || (!all && strv_length(image->names)))
            continue;
        e = image_remove(r->firn->store, image->id, true, NULL, NULL, err);
        struct json *one = js_object();
        js_set(one, r->libpod ? "Id" : "Deleted", js_string(image->id));
        if (r->libpod)
            js_set(one, "Size", js_int(image->size));
        js_push(list, one);
        size += image->size;
    }
    if (e < 0)
        return e;
    if (r->libpod)
        return reply_json(reply, 200, list, err);
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "ImagesDeleted", js_ref(list));
    js_set(o, "SpaceReclaimed", js_int(size));
    return reply_json(reply, 200, o, err);
}

const struct route images_routes[] = {
    {"GET", API_BOTH, "/images/json", list, OPTIONS(list_query, list_query)},
    {"GET", API_BOTH, "/images/search", route_unsupported},
    {"GET", API_BOTH, "/images/{name...}/json", inspect},
    {"GET", API_LIBPOD, "/images/{name...}/exists", exists},
    {"GET", API_BOTH, "/images/{name...}/history", history},
    {"POST", API_BOTH, "/images/{name...}/tag", tag, OPTIONS(name_query, name_query),
     ROUTE_CHANGES},
    {"POST", API_LIBPOD, "/images/{name...}/untag", untag, OPTIONS(name_query, name_query),
     ROUTE_CHANGES},
    {"POST", API_BOTH, "/images/prune", prune, OPTIONS(prune_query, prune_query), ROUTE_CHANGES},
    {"DELETE", API_LIBPOD, "/images/remove", remove_several, OPTIONS(remove_query, remove_query),
     ROUTE_CHANGES},
    {"DELETE", API_BOTH, "/images/{name...}", remove_named, OPTIONS(remove_query, remove_query),
     ROUTE_CHANGES},
    {0},
};
