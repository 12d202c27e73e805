/* How much room everything takes, and giving room back. */
#include <string.h>

#include "api/filters.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/container.h"
#include "container/firn.h"
#include "container/inspect.h"
#include "container/prune.h"
#include "container/state.h"
#include "container/volume-filter.h"
#include "container/volume-report.h"
#include "store/image.h"
#include "store/reference.h"
#include "store/volume.h"

/* ---- df ---- */

struct usage {
    struct json *images, *containers, *volumes;
    int64_t image_size;
};

static void usage_clear(struct usage *u)
{
    js_unref(u->images);
    js_unref(u->containers);
    js_unref(u->volumes);
}

static void set_name(struct json *o, const struct image *i)
{
    _cleanup_reference_ struct reference ref = {0};
    bool named = i->names && i->names[0] && reference_parse(i->names[0], &ref, NULL) >= 0;
    _cleanup_free_ char *repository = named ? reference_repository(&ref) : NULL;
    js_set(o, "Repository", js_string(named ? repository : "<none>"));
    js_set(o, "Tag", js_string(named && ref.tag ? ref.tag : "<none>"));
}

static struct json *image_usage(const struct request *r, const struct image *i, size_t users)
{
    struct json *o = js_object();
    _cleanup_free_ char *created = time_rfc3339(i->created);
    _cleanup_free_ char *id = xasprintf("sha256:%s", i->id);
    js_set(o, "Size", js_int(i->size));
    js_set(o, "SharedSize", js_int(0));
    js_set(o, "Containers", js_int((int64_t)users));
    if (r->libpod) {
        set_name(o, i);
        js_set(o, "ImageID", js_string(i->id));
        js_set(o, "UniqueSize", js_int(i->size));
        js_set(o, "Created", js_string(created));
    } else {
        js_set(o, "Id", js_string(id));
        js_set(o, "ParentId", js_string(""));
        js_set(o, "RepoTags", js_strings(i->names));
        js_set(o, "VirtualSize", js_int(i->size));
        js_set(o, "Created", js_int(i->created / 1000000000));
        js_set(o, "Labels", image_labels(i) ? js_copy(image_labels(i)) : js_object());
    }
    return o;
}

static int add_images(const struct request *r, struct usage *u, struct error *err)
{
    _cleanup_image_list_ struct image_list list = {0};
    int e = image_list(r->firn->store, &list, err);
    for (size_t i = 0; e >= 0 && i < list.count; i++) {
        _cleanup_strv_ char **users = NULL;
        e = image_users(r->firn->store, list.items[i]->id, &users, err);
        js_push(u->images, image_usage(r, list.items[i], strv_length(users)));
        u->image_size += list.items[i]->size;
    }
    return e;
}

static struct json *container_usage(const struct request *r, struct container *c,
                                    const struct json *p)
{
    const struct json *size = js_get(p, "Size");
    struct json *o = js_object();
    _cleanup_free_ char *created = time_rfc3339(c->created_at);
    _cleanup_strv_ char **command = container_command(c);
    js_set(o, r->libpod ? "ContainerID" : "Id", js_string(c->id));
    js_set(o, "Image", js_string(container_image_name(c)));
    js_set(o, r->libpod ? "Size" : "SizeRootFs", js_int(js_get_int(size, "rootFsSize", 0)));
    js_set(o, r->libpod ? "RWSize" : "SizeRw", js_int(js_get_int(size, "rwSize", 0)));
    js_set(o, r->libpod ? "Status" : "State", js_string(js_get_string(p, "State")));
    if (r->libpod) {
        js_set(o, "Command", js_strings(command));
        js_set(o, "LocalVolumes", js_int((int64_t)js_count(js_get(p, "Mounts"))));
        js_set(o, "Created", js_string(created));
        js_set(o, "Names", js_string(c->name));
    } else {
        _cleanup_free_ char *name = xasprintf("/%s", c->name);
        js_set(o, "Names", js_strings((char *const[]){name, NULL}));
        js_set(o, "Created", js_int(c->created_at / 1000000000));
        js_set(o, "Mounts", js_array());
    }
    return o;
}

static int add_containers(const struct request *r, struct usage *u, struct error *err)
{
    _cleanup_container_list_ struct container_list list = {0};
    int e = container_list_all(r->firn, &list, err);
    for (size_t i = 0; e >= 0 && i < list.count; i++) {
        _cleanup_json_ struct json *p = NULL;
        e = container_ps_entry(list.items[i], true, &p, err);
        if (e >= 0)
            js_push(u->containers, container_usage(r, list.items[i], p));
    }
    return e;
}

static int add_volumes(const struct request *r, struct usage *u, struct error *err)
{
    _cleanup_volume_list_ struct volume_list list = {0};
    int e = volume_list(r->firn->store, &list, err);
    for (size_t i = 0; e >= 0 && i < list.count; i++) {
        _cleanup_strv_ char **users = NULL;
        e = volume_users(r->firn->store, list.items[i]->name, &users, err);
        int64_t links = (int64_t)strv_length(users), size = volume_size(list.items[i]);
        struct json *o = r->libpod ? js_object() : volume_report(list.items[i]);
        struct json *data = js_object();
        js_set(data, "Size", js_int(size));
        js_set(data, "RefCount", js_int(links));
        if (r->libpod) {
            js_set(o, "VolumeName", js_string(list.items[i]->name));
            js_set(o, "Links", js_int(links));
            js_set(o, "Size", js_int(size));
            js_set(o, "ReclaimableSize", js_int(links ? 0 : size));
            js_unref(data);
        } else {
            js_set(o, "UsageData", data);
        }
        js_push(u->volumes, o);
    }
    return e;
}

static int df(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_(usage_clear) struct usage u = {js_array(), js_array(), js_array(), 0};
    int e = add_images(r, &u, err);
    if (e >= 0)
        e = add_containers(r, &u, err);
    if (e >= 0)
        e = add_volumes(r, &u, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = js_object();
    js_set(o, r->libpod ? "ImagesSize" : "LayersSize", js_int(u.image_size));
    js_set(o, "Images", js_ref(u.images));
    js_set(o, "Containers", js_ref(u.containers));
    js_set(o, "Volumes", js_ref(u.volumes));
    if (!r->libpod)
        js_set(o, "BuildCache", js_array());
    return reply_json(reply, 200, o, err);
}

/* ---- prune ---- */

struct prune_query {
    bool all, volumes, external;
    char *filters;
};
static const struct option prune_query[] = {
    {"all", 0, OPTION_BOOL, offsetof(struct prune_query, all)},
    {"volumes", 0, OPTION_BOOL, offsetof(struct prune_query, volumes)},
    {"external", 0, OPTION_BOOL, offsetof(struct prune_query, external)},
    {"filters", 0, OPTION_STRING, offsetof(struct prune_query, filters)},
    {0},
};

static struct json *prune_reports(char *const *names)
{
    struct json *list = js_array();
    STRV_FOREACH(name, names)
    {
        struct json *one = js_object();
        js_set(one, "Id", js_string(*name));
        js_set(one, "Size", js_int(0));
        js_push(list, one);
    }
    return list;
}

/* Those that no container uses, without `all` only nameless ones. */
static int prune_images(struct firn *firn, bool all, char ***ret, struct error *err)
{
    _cleanup_image_list_ struct image_list list = {0};
    int r = image_list(firn->store, &list, err);
    for (size_t i = 0; r >= 0 && i < list.count; i++) {
        _cleanup_strv_ char **users = NULL;
        const struct image *image = list.items[i];
        r = image_users(firn->store, image->id, &users, err);
        if (r < 0 || strv_length(users) || (!all && strv_length(image->names)))
            continue;
        r = image_remove(firn->store, image->id, true, NULL, NULL, err);
        strv_add(ret, image->id);
    }
    return r;
}

static int prune(struct request *r, struct reply *reply, struct error *err)
{
    const struct prune_query *q = r->options;
    _cleanup_strv_ char **filters = NULL, **containers = NULL, **images = NULL, **volumes = NULL;
    int e = filters_parse(q->filters, &filters, err);
    if (e >= 0 && strv_length(filters))
        e = error_kind_set(err, ERROR_USAGE, "filters are not supported for everything at once");
    if (e >= 0)
        e = container_prune(r->firn, NULL, &containers, err);
    if (e >= 0)
        e = prune_images(r->firn, q->all, &images, err);
    if (e >= 0 && q->volumes)
        e = volume_prune(r->firn->store, NULL, &volumes, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "PodPruneReport", js_null());
    js_set(o, "ContainerPruneReports", prune_reports(containers));
    js_set(o, "ImagePruneReports", prune_reports(images));
    js_set(o, "NetworkPruneReports", js_array());
    js_set(o, "VolumePruneReports", prune_reports(volumes));
    js_set(o, "ReclaimedSpace", js_int(0));
    return reply_json(reply, 200, o, err);
}

/* Podman and Docker have them, firn has not. */
#define NOT_HERE(method, pattern)                                                                  \
    {                                                                                              \
        method, API_BOTH, pattern, route_unsupported                                               \
    }
const struct route system_df_routes[] = {
    {"GET", API_BOTH, "/system/df", df},
    {"POST", API_LIBPOD, "/system/prune", prune, OPTIONS(prune_query, prune_query), ROUTE_CHANGES},
    NOT_HERE("POST", "/build"),
    NOT_HERE("POST", "/build/prune"),
    NOT_HERE("POST", "/auth"),
    NOT_HERE("GET", "/distribution/{name...}/json"),
    NOT_HERE("GET", "/secrets"),
    NOT_HERE("GET", "/secrets/json"),
    NOT_HERE("POST", "/secrets/create"),
    NOT_HERE("GET", "/plugins"),
    NOT_HERE("GET", "/swarm"),
    NOT_HERE("POST", "/swarm/init"),
    NOT_HERE("GET", "/services"),
    NOT_HERE("GET", "/nodes"),
    NOT_HERE("GET", "/tasks"),
    NOT_HERE("GET", "/configs"),
    NOT_HERE("POST", "/session"),
    NOT_HERE("GET", "/generate/{name}/systemd"),
    NOT_HERE("GET", "/generate/kube"),
    NOT_HERE("POST", "/play/kube"),
    NOT_HERE("POST", "/manifests/{name...}"),
    {0},
};
