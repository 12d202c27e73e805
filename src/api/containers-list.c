/* Containers as they are shown. */
#include <stdlib.h>
#include <string.h>

#include "api/containers.h"
#include "api/filters.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/inspect.h"
#include "container/signals.h"

/* ---- lists ---- */

struct list_query {
    bool all, external, is_namespace, size, sync, pod;
    int64_t limit;
    char *filters;
};
static const struct option list_query[] = {
    {"all", 0, OPTION_BOOL, offsetof(struct list_query, all)},
    {"external", 0, OPTION_BOOL, offsetof(struct list_query, external)},
    {"filters", 0, OPTION_STRING, offsetof(struct list_query, filters)},
    {"limit", 0, OPTION_INT, offsetof(struct list_query, limit), .initial = "-1", .alias = "last"},
    {"namespace", 0, OPTION_BOOL, offsetof(struct list_query, is_namespace)},
    {"pod", 0, OPTION_BOOL, offsetof(struct list_query, pod)},
    {"size", 0, OPTION_BOOL, offsetof(struct list_query, size)},
    {"sync", 0, OPTION_BOOL, offsetof(struct list_query, sync)},
    {0},
};

const char *containers_docker_state(enum container_state state)
{
    switch (state) {
    case CONTAINER_INITIALIZED:
        return "created";
    case CONTAINER_STOPPING:
        return "running";
    default:
        return container_state_shown(state);
    }
}

/* The fields whose form over the wire is another than that of `ps --format json`. */
static void adapt_libpod(const struct container *c, struct json *o)
{
    _cleanup_free_ char *created = time_rfc3339(c->created_at);
    js_set(o, "Created", js_string(created));
    js_set(o, "CreatedAt", js_string(""));
    js_set(o, "Status", js_string(""));
}

static struct json *docker_mounts(const struct json *inspected)
{
    struct json *mounts = js_get(inspected, "Mounts");
    return mounts ? js_ref(mounts) : js_array();
}

static struct json *slash_name(const char *name)
{
    _cleanup_free_ char *text = xasprintf("/%s", name);
    return js_string(text);
}

static struct json *image_id(const struct json *o, const char *key)
{
    const char *id = js_get_string(o, key);
    _cleanup_free_ char *text = xasprintf("sha256:%s", id ? id : "");
    return js_string(id && *id ? text : "");
}

static void take(struct json *to, const char *name, const struct json *from, const char *key)
{
    struct json *v = js_get(from, key);
    if (v)
        js_set(to, name, js_ref(v));
}

/* One entry for each port of each range. */
static struct json *docker_ports(const struct json *mappings)
{
    struct json *list = js_array();
    JSON_FOREACH(mappings, i)
    {
        const struct json *m = js_at(mappings, i);
        const char *ip = js_get_string(m, "host_ip");
        for (int64_t n = 0; n < js_get_int(m, "range", 1); n++) {
            struct json *o = js_object();
            js_set(o, "IP", js_string(ip && *ip ? ip : "0.0.0.0"));
            js_set(o, "PrivatePort", js_int(js_get_int(m, "container_port", 0) + n));
            js_set(o, "PublicPort", js_int(js_get_int(m, "host_port", 0) + n));
            js_set(o, "Type", js_string(js_get_string(m, "protocol")));
            js_push(list, o);
        }
    }
    return list;
}

static int docker_entry(struct container *c, bool size, const struct json *p, struct json **ret,
                        struct error *err)
{
    struct container_status s;
    _cleanup_json_ struct json *inspected = NULL;
    int r = container_inspect(c, size, &inspected, err);
    if (r >= 0)
        r = container_status(c, &s, err);
    if (r < 0)
        return r;
    struct json *o = js_object(), *names = js_array(), *host = js_object(), *net = js_object();
    _cleanup_strv_ char **command = container_command(c);
    _cleanup_free_ char *joined = strv_join(command, " ");
    js_push(names, slash_name(c->name));
    js_set(o, "Id", js_string(c->id));
    js_set(o, "Names", names);
    take(o, "Image", p, "Image");
    js_set(o, "ImageID", image_id(p, "ImageID"));
    js_set(o, "Command", js_string(joined ? joined : ""));
    js_set(o, "Created", js_int(c->created_at / 1000000000));
    js_set(o, "Ports", docker_ports(js_get(p, "Ports")));
    js_set(o, "Labels", container_labels(c) ? js_copy(container_labels(c)) : js_object());
    js_set(o, "State", js_string(containers_docker_state(s.state)));
    take(o, "Status", p, "Status");
    take(o, "SizeRw", inspected, "SizeRw");
    take(o, "SizeRootFs", inspected, "SizeRootFs");
    take(host, "NetworkMode", js_get(inspected, "HostConfig"), "NetworkMode");
    js_set(o, "HostConfig", host);
    take(net, "Networks", js_get(inspected, "NetworkSettings"), "Networks");
    js_set(o, "NetworkSettings", net);
    js_set(o, "Mounts", docker_mounts(inspected));
    *ret = o;
    return 0;
}

static int add_entry(struct request *r, struct container *c, bool size, struct json *list,
                     struct error *err)
{
    _cleanup_json_ struct json *p = NULL;
    struct json *o = NULL;
    int e = container_ps_entry(c, size, &p, err);
    if (e >= 0 && !r->libpod)
        e = docker_entry(c, size, p, &o, err);
    /* Removed while we looked. */
    if (e < 0 && err->kind == ERROR_NOT_FOUND) {
        *err = (struct error){0};
        return 0;
    }
    if (e < 0)
        return e;
    if (r->libpod)
        adapt_libpod(c, p);
    js_push(list, o ? o : js_ref(p));
    return 0;
}

/* Without `all` or a filter by state only what runs. */
static bool is_shown(struct container *c, const struct list_query *o, bool by_state)
{
    struct container_status s;
    if (o->all || by_state || o->limit > 0)
        return true;
    return container_status(c, &s, NULL) == 0 && container_state_is_alive(s.state);
}

static bool filters_state(char *const *filters)
{
    STRV_FOREACH(f, filters)
    {
        if (string_starts(*f, "status="))
            return true;
    }
    return false;
}

static int list(struct request *r, struct reply *reply, struct error *err)
{
    const struct list_query *o = r->options;
    _cleanup_strv_ char **filters = NULL;
    _cleanup_container_list_ struct container_list found = {0};
    _cleanup_json_ struct json *result = js_array();
    int e = filters_parse(o->filters, &filters, err);
    if (e >= 0)
        e = container_list_filtered(r->firn, filters, &found, err);
    bool by_state = filters_state(filters);
    for (size_t i = found.count; e >= 0 && i-- > 0;) {
        if (o->limit > 0 && js_count(result) >= (size_t)o->limit)
            break;
        if (is_shown(found.items[i], o, by_state))
            e = add_entry(r, found.items[i], o->size, result, err);
    }
    return e < 0 ? e : reply_json(reply, 200, result, err);
}

/* ---- inspect ---- */

struct inspect_query {
    bool size;
};
static const struct option inspect_query[] = {
    {"size", 0, OPTION_BOOL, offsetof(struct inspect_query, size)},
    {0},
};

/* Clients before 5 have two fields of another type. */
static void adapt_old_client(const struct request *r, const struct container *c, struct json *o)
{
    if (!string_starts(r->target, "/v4") && !string_starts(r->target, "/v3"))
        return;
    struct json *config = js_get(o, "Config");
    _cleanup_strv_ char **entrypoint = js_get_strings(config, "Entrypoint");
    _cleanup_free_ char *joined = strv_join(entrypoint, " ");
    js_set(config, "Entrypoint", js_string(joined ? joined : ""));
    js_set(config, "StopSignal", js_int(container_stop_signal(c)));
}

static struct json *docker_state(struct container *c, const struct json *p,
                                 const struct container_status *s)
{
    static const char *const same[] = {"OOMKilled", "Dead",      "Pid",       "ExitCode",
                                       "Error",     "StartedAt", "FinishedAt"};
    struct json *o = js_object();
    js_set(o, "Status", js_string(containers_docker_state(s->state)));
    js_set(o, "Running", js_bool(container_state_is_alive(s->state)));
    js_set(o, "Paused", js_bool(s->state == CONTAINER_PAUSED));
    js_set(o, "Restarting", js_bool(false));
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        take(o, same[i], p, same[i]);
    return o;
}

/* {"80/tcp": [{"HostIp": "", ...}]}: Docker says what "" means. */
static void name_addresses(struct json *ports)
{
    JSON_FOREACH_KEY(ports, it)
    {
        struct json *list = js_iter_value(it);
        JSON_FOREACH(list, i)
        {
            const char *ip = js_get_string(js_at(list, i), "HostIp");
            if (ip && !*ip)
                js_set(js_at(list, i), "HostIp", js_string("0.0.0.0"));
        }
    }
}

static int inspect_docker(struct container *c, struct json *p, struct json **ret, struct error *err)
{
    static const char *const same[] = {
        "Id",           "Created",         "Path",           "Args",   "ResolvConfPath",
        "HostnamePath", "HostsPath",       "RestartCount",   "Driver", "MountLabel",
        "ProcessLabel", "AppArmorProfile", "HostConfig",     "SizeRw", "SizeRootFs",
        "Mounts",       "Config",          "NetworkSettings"};
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    struct json *o = js_object();
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        take(o, same[i], p, same[i]);
    js_set(o, "State", docker_state(c, js_get(p, "State"), &s));
    name_addresses(js_path(p, "NetworkSettings", "Ports", NULL));
    /* Docker has no k8s-file; its clients read logs only of drivers they know. */
    struct json *log = js_path(p, "HostConfig", "LogConfig", NULL);
    if (string_equal(js_get_string(log, "Type"), "k8s-file"))
        js_set(log, "Type", js_string("json-file"));
    js_set(o, "Image", image_id(p, "Image"));
    js_set(o, "Name", slash_name(c->name));
    js_set(o, "Platform", js_string("linux"));
    js_set(o, "ExecIDs", js_null());
    take(o, "GraphDriver", p, "GraphDriver");
    *ret = o;
    return 0;
}

static int inspect(struct request *r, struct reply *reply, struct error *err)
{
    const struct inspect_query *o = r->options;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_json_ struct json *p = NULL, *d = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_inspect(c, o->size, &p, err);
    if (e >= 0 && !r->libpod)
        e = inspect_docker(c, p, &d, err);
    if (e < 0)
        return e;
    adapt_old_client(r, c, p);
    return reply_json(reply, 200, d ? d : p, err);
}

const struct route containers_list_routes[] = {
    {"GET", API_BOTH, "/containers/json", list, OPTIONS(list_query, list_query)},
    {"GET", API_BOTH, "/containers/{name}/json", inspect, OPTIONS(inspect_query, inspect_query)},
    {0},
};
