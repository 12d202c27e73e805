/* Networks. */
#include <string.h>

#include "api/filters.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/container.h"
#include "container/firn.h"
#include "container/remove.h"
#include "store/network.h"

/* ---- shown ---- */

static struct json *copy_or(const struct json *v, struct json *otherwise)
{
    if (!v || js_is_null(v))
        return otherwise;
    js_unref(otherwise);
    return js_copy(v);
}

static struct json *docker_ipam(const struct json *document)
{
    struct json *o = js_object(), *config = js_array();
    const struct json *subnets = js_get(document, "subnets");
    JSON_FOREACH(subnets, i)
    {
        struct json *one = js_object();
        js_set(one, "Subnet", js_string(js_get_string(js_at(subnets, i), "subnet")));
        js_set(one, "Gateway", js_string(js_get_string(js_at(subnets, i), "gateway")));
        js_push(config, one);
    }
    js_set(o, "Driver", js_string("default"));
    js_set(o, "Options", js_object());
    js_set(o, "Config", config);
    return o;
}

static struct json *describe(const struct request *r, const struct network *n)
{
    if (r->libpod)
        return js_copy(n->document);
    struct json *o = js_object();
    _cleanup_free_ char *created = time_rfc3339(n->created);
    js_set(o, "Name", js_string(n->name));
    js_set(o, "Id", js_string(n->id));
    js_set(o, "Created", js_string(created));
    js_set(o, "Scope", js_string("local"));
    js_set(o, "Driver", js_string(js_get_string(n->document, "driver")));
    js_set(o, "EnableIPv6", js_bool(js_get_bool(n->document, "ipv6_enabled", false)));
    js_set(o, "Internal", js_bool(js_get_bool(n->document, "internal", false)));
    js_set(o, "Attachable", js_bool(false));
    js_set(o, "Ingress", js_bool(false));
    js_set(o, "ConfigOnly", js_bool(false));
    js_set(o, "IPAM", docker_ipam(n->document));
    js_set(o, "Containers", js_object());
    js_set(o, "Options", copy_or(js_get(n->document, "options"), js_object()));
    js_set(o, "Labels", copy_or(js_get(n->document, "labels"), js_object()));
    return o;
}

struct filter_query {
    char *filters;
};
static const struct option filter_query[] = {
    {"filters", 0, OPTION_STRING, offsetof(struct filter_query, filters)},
    {0},
};

static bool label_matches(const struct network *n, const char *pair)
{
    size_t size = strcspn(pair, "=");
    _cleanup_free_ char *key = strndup(pair, size);
    const char *value = js_get_string(js_get(n->document, "labels"), key);
    return value && (!pair[size] || string_equal(value, pair + size + 1));
}

/* 1 fits, 0 does not. Values of one key are alternatives, labels must all match. */
static int fits(const struct network *n, char *const *filters, struct error *err)
{
    bool by_name = false, name_fits = false, by_id = false, id_fits = false;
    STRV_FOREACH(f, filters)
    {
        const char *name = string_after(*f, "name="), *id = string_after(*f, "id=");
        const char *label = string_after(*f, "label="), *driver = string_after(*f, "driver=");
        if (!name && !id && !label && !driver)
            return error_kind_set(err, ERROR_USAGE, "\"%s\" is an invalid network filter", *f);
        by_name |= name != NULL;
        name_fits |= name && strstr(n->name, name);
        by_id |= id != NULL;
        id_fits |= id && string_starts(n->id, id);
        if ((label && !label_matches(n, label)) ||
            (driver && !string_equal(driver, js_get_string(n->document, "driver"))))
            return 0;
    }
    return (!by_name || name_fits) && (!by_id || id_fits);
}

static int list(struct request *r, struct reply *reply, struct error *err)
{
    const struct filter_query *q = r->options;
    _cleanup_strv_ char **filters = NULL;
    _cleanup_network_list_ struct network_list networks = {0};
    _cleanup_json_ struct json *rows = js_array();
    int e = filters_parse(q->filters, &filters, err);
    if (e >= 0)
        e = network_list(r->firn->store, &networks, err);
    for (size_t i = 0; e >= 0 && i < networks.count; i++) {
        e = fits(networks.items[i], filters, err);
        if (e > 0)
            js_push(rows, describe(r, networks.items[i]));
    }
    return e < 0 ? e : reply_json(reply, 200, rows, err);
}

static int inspect(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_network_ struct network *n = NULL;
    int e = network_lookup(r->firn->store, r->args[0], &n, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = describe(r, n);
    return reply_json(reply, 200, o, err);
}

static int exists(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_network_ struct network *n = NULL;
    int e = network_lookup(r->firn->store, r->args[0], &n, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

/* ---- made ---- */

static const char *text(const struct json *o, const char *key)
{
    const char *s = js_get_string(o, key);
    return s && *s ? s : NULL;
}

static int one_subnet(const struct json *list, const struct json **ret, struct error *err)
{
    if (js_count(list) > 1)
        return error_kind_set(err, ERROR_USAGE, "a network with several subnets is not supported");
    *ret = js_at(list, 0);
    return 0;
}

static int from_libpod(const struct json *body, struct network_options *o, struct error *err)
{
    const struct json *subnet = NULL;
    int r = one_subnet(js_get(body, "subnets"), &subnet, err);
    o->name = text(body, "name");
    o->driver = text(body, "driver");
    o->interface = text(body, "network_interface");
    o->internal = js_get_bool(body, "internal", false);
    o->no_dns = !js_get_bool(body, "dns_enabled", false);
    o->labels = js_get(body, "labels");
    o->options = js_get(body, "options");
    o->subnet = text(subnet, "subnet");
    o->gateway = text(subnet, "gateway");
    if (js_get(subnet, "lease_range") && !js_is_null(js_get(subnet, "lease_range")))
        return error_kind_set(err, ERROR_USAGE, "\"lease_range\" is not supported");
    return r;
}

static int from_docker(const struct json *body, struct network_options *o, struct error *err)
{
    const struct json *subnet = NULL;
    int r = one_subnet(js_path(body, "IPAM", "Config", NULL), &subnet, err);
    o->name = text(body, "Name");
    o->driver = text(body, "Driver");
    o->internal = js_get_bool(body, "Internal", false);
    o->no_dns = o->internal;
    o->labels = js_get(body, "Labels");
    o->options = js_get(body, "Options");
    o->subnet = text(subnet, "Subnet");
    o->gateway = text(subnet, "Gateway");
    o->range = text(subnet, "IPRange");
    return r;
}

static int create(struct request *r, struct reply *reply, struct error *err)
{
    struct network_options o = {0};
    _cleanup_network_ struct network *n = NULL;
    if (r->firn->rootless)
        return error_kind_set(err, ERROR_USAGE,
                              "networks are bridges, which only root can make: an ordinary user's "
                              "containers have pasta, slirp4netns, host or none");
    int e = r->libpod ? from_libpod(r->json, &o, err) : from_docker(r->json, &o, err);
    o.labels = js_is_object(o.labels) ? o.labels : NULL;
    o.options = js_is_object(o.options) ? o.options : NULL;
    if (e >= 0)
        e = network_create(r->firn->store, &o, &n, err);
    if (e < 0)
        return e;
    if (r->libpod)
        return reply_json(reply, 200, n->document, err);
    _cleanup_json_ struct json *answer = js_object();
    js_set(answer, "Id", js_string(n->id));
    js_set(answer, "Warning", js_string(""));
    return reply_json(reply, 201, answer, err);
}

/* ---- removed ---- */

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
    int r = network_users(firn->store, name, &users, err);
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
    _cleanup_network_ struct network *n = NULL;
    int e = network_lookup(r->firn->store, r->args[0], &n, err);
    if (e >= 0 && q->force && r->libpod)
        e = remove_users(r->firn, n->name, err);
    if (e >= 0)
        e = network_remove(r->firn->store, n->name, err);
    if (e < 0)
        return e;
    if (!r->libpod)
        return reply_empty(reply, 204, err);
    _cleanup_json_ struct json *list = js_array();
    struct json *one = js_object();
    js_set(one, "Name", js_string(n->name));
    js_set(one, "Err", js_null());
    js_push(list, one);
    return reply_json(reply, 200, list, err);
}

static int prune(struct request *r, struct reply *reply, struct error *err)
{
    const struct filter_query *q = r->options;
    _cleanup_strv_ char **filters = NULL, **names = NULL;
    _cleanup_network_list_ struct network_list networks = {0};
    int e = filters_parse(q->filters, &filters, err);
    if (e >= 0)
        e = network_list(r->firn->store, &networks, err);
    for (size_t i = 0; e >= 0 && i < networks.count; i++) {
        struct error one = {0};
        const struct network *n = networks.items[i];
        e = fits(n, filters, err);
        if (e <= 0 || string_equal(n->name, NETWORK_DEFAULT))
            continue;
        if (network_remove(r->firn->store, n->name, &one) >= 0)
            strv_add(&names, n->name);
    }
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = r->libpod ? js_array() : js_object();
    if (!r->libpod)
        js_set(o, "NetworksDeleted", js_strings(names));
    STRV_FOREACH(name, r->libpod ? names : NULL)
    {
        struct json *one = js_object();
        js_set(one, "Name", js_string(*name));
        js_set(one, "Error", js_null());
        js_push(o, one);
    }
    return reply_json(reply, 200, o, err);
}

const struct route networks_routes[] = {
    {"GET", API_LIBPOD, "/networks/json", list, OPTIONS(filter_query, filter_query)},
    {"GET", API_DOCKER, "/networks", list, OPTIONS(filter_query, filter_query)},
    {"GET", API_LIBPOD, "/networks/{name}/json", inspect},
    {"GET", API_LIBPOD, "/networks/{name}/exists", exists},
    {"GET", API_DOCKER, "/networks/{name}", inspect},
    {"POST", API_BOTH, "/networks/create", create, .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"POST", API_BOTH, "/networks/prune", prune, OPTIONS(filter_query, filter_query),
     ROUTE_CHANGES},
    {"POST", API_BOTH, "/networks/{name}/connect", route_unsupported},
    {"POST", API_BOTH, "/networks/{name}/disconnect", route_unsupported},
    {"DELETE", API_BOTH, "/networks/{name}", remove_it, OPTIONS(remove_query, remove_query),
     ROUTE_CHANGES},
    {0},
};
