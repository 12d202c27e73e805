/* A container's life: everything that changes its state and answers with nothing but a status. */
#include "api/containers.h"

#include <stdlib.h>

#include "api/body.h"
#include "api/docker-checkpoints.h"
#include "api/filters.h"
#include "api/routes.h"
#include "base/strv.h"
#include "container/create.h"
#include "container/kill.h"
#include "container/monitor.h"
#include "container/pause.h"
#include "container/prune.h"
#include "container/remove.h"
#include "container/signals.h"
#include "container/start.h"
#include "container/stop.h"

int containers_lookup(struct request *r, struct container **ret, struct error *err)
{
    const char *name = r->args[0];
    return container_lookup(r->firn, name + (*name == '/'), ret, err);
}

/* ---- create ---- */

static int create_from(struct request *r, struct body *b, struct reply *reply, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    if (!b->create.image)
        return error_kind_set(err, ERROR_USAGE, "the body of the request names no image");
    /* Clients pull by a request of their own. */
    b->create.pull = "never";
    int e = container_create(r->firn, &b->create, &c, NULL, err);
    if (e < 0 && err->kind == ERROR_NOT_FOUND)
        return error_kind_set(err, ERROR_NOT_FOUND, "No such image: %s: no such image",
                              b->create.image);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "Id", js_string(c->id));
    js_set(o, "Warnings", js_array());
    return reply_json(reply, 201, o, err);
}

static int create_libpod(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_body_ struct body b;
    body_init(&b);
    int e = body_read(&b, body_libpod, r->json, err);
    return e < 0 ? e : create_from(r, &b, reply, err);
}

struct create_query {
    char *name, *platform;
};
static const struct option create_query[] = {
    {"name", 0, OPTION_STRING, offsetof(struct create_query, name)},
    {"platform", 0, OPTION_STRING, offsetof(struct create_query, platform)},
    {0},
};

static int create_docker(struct request *r, struct reply *reply, struct error *err)
{
    const struct create_query *o = r->options;
    _cleanup_body_ struct body b;
    body_init(&b);
    int e = body_read(&b, body_docker, r->json, err);
    if (e < 0)
        return e;
    b.create.name = o->name ? string_after(o->name, "/") ? o->name + 1 : o->name : NULL;
    return create_from(r, &b, reply, err);
}

/* ---- start, stop, ... ---- */

struct start_query {
    bool recursive;
    char *detach_keys;
};
static const struct option start_query[] = {
    {"recursive", 0, OPTION_BOOL, offsetof(struct start_query, recursive)},
    {"detachKeys", 0, OPTION_STRING, offsetof(struct start_query, detach_keys)},
    {0},
};

static int start(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_start(c, err);
    return e < 0 ? e : reply_empty(reply, e == 1 ? 304 : 204, err);
}

static int init(struct request *r, struct reply *reply, struct error *err)
{
    struct container_status s;
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_status(c, &s, err);
    if (e < 0)
        return e;
    if (s.state == CONTAINER_INITIALIZED || container_state_is_alive(s.state))
        return reply_empty(reply, 304, err);
    e = container_init(c, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

struct start_docker_query {
    char *detach_keys, *checkpoint, *checkpoint_dir;
};
static const struct option start_docker_query[] = {
    {"checkpoint", 0, OPTION_STRING, offsetof(struct start_docker_query, checkpoint)},
    {"checkpoint-dir", 0, OPTION_STRING, offsetof(struct start_docker_query, checkpoint_dir)},
    {"detachKeys", 0, OPTION_STRING, offsetof(struct start_docker_query, detach_keys)},
    {0},
};

/* Its clients look for these words to choose their exit code. */
static int explain_to_docker(struct error *err)
{
    struct error why = *err;
    if (why.kind == ERROR_COMMAND_NOT_FOUND)
        return error_kind_set(err, why.kind, "%s: executable file not found", why.text);
    if (why.kind == ERROR_CANNOT_INVOKE)
        return error_kind_set(err, why.kind, "%s: permission denied", why.text);
    return -why.code;
}

static int start_docker(struct request *r, struct reply *reply, struct error *err)
{
    const struct start_docker_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    int e = q->checkpoint ? 0 : start(r, reply, err);
    if (!q->checkpoint)
        return e < 0 ? explain_to_docker(err) : e;
    e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = docker_checkpoint_restore(c, q->checkpoint_dir, q->checkpoint, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

struct stop_query {
    bool ignore;
    char *timeout, *signal;
};
static const struct option stop_query[] = {
    {"ignore", 0, OPTION_BOOL, offsetof(struct stop_query, ignore)},
    {"timeout", 0, OPTION_STRING, offsetof(struct stop_query, timeout), .alias = "t",
     .check = OPTION_INT},
    {"signal", 0, OPTION_UNSUPPORTED, 0, "string"},
    {0},
};

static int stop_timeout(const struct stop_query *o)
{
    return o->timeout ? atoi(o->timeout) : -1;
}

static int stop(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_stop(c, stop_timeout(r->options), err);
    return e < 0 ? e : reply_empty(reply, e == 1 ? 304 : 204, err);
}

static int restart(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_stop(c, stop_timeout(r->options), err);
    if (e >= 0)
        e = container_start(c, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

struct kill_query {
    char *signal;
};
static const struct option kill_query[] = {
    {"signal", 0, OPTION_STRING, offsetof(struct kill_query, signal), .initial = "KILL"},
    {0},
};

static int send_signal(struct request *r, struct reply *reply, struct error *err)
{
    const struct kill_query *o = r->options;
    _cleanup_container_ struct container *c = NULL;
    int signal = signal_parse(o->signal, err);
    if (signal < 0)
        return error_kind_set(err, ERROR_USAGE, "invalid signal: %s", o->signal);
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_kill(c, signal, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

static int act(struct request *r, struct reply *reply,
               int (*function)(struct container *c, struct error *err), struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = function(c, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

static int pause_it(struct request *r, struct reply *reply, struct error *err)
{
    return act(r, reply, container_pause, err);
}

static int unpause(struct request *r, struct reply *reply, struct error *err)
{
    return act(r, reply, container_unpause, err);
}

/* ---- remove ---- */

struct remove_query {
    bool force, volumes, ignore, depend, link;
    char *timeout;
};
static const struct option remove_query[] = {
    {"force", 0, OPTION_BOOL, offsetof(struct remove_query, force)},
    {"volumes", 0, OPTION_BOOL, offsetof(struct remove_query, volumes), .alias = "v"},
    {"ignore", 0, OPTION_BOOL, offsetof(struct remove_query, ignore)},
    {"depend", 0, OPTION_BOOL, offsetof(struct remove_query, depend)},
    {"timeout", 0, OPTION_STRING, offsetof(struct remove_query, timeout), .check = OPTION_INT},
    {"link", 0, OPTION_UNSUPPORTED, 0},
    {0},
};

static int remove_it(struct request *r, struct reply *reply, struct error *err)
{
    const struct remove_query *o = r->options;
    const struct remove_options options = {
        .force = o->force,
        .volumes = o->volumes,
        /* Docker kills, Podman stops. */
        .timeout_seconds = o->timeout  ? atoi(o->timeout)
                           : r->libpod ? -1
                                       : 0,
    };
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_remove(c, &options, err);
    if (e < 0)
        return e;
    if (!r->libpod)
        return reply_empty(reply, 204, err);
    _cleanup_json_ struct json *list = js_array();
    struct json *one = js_object();
    js_set(one, "Id", js_string(c->id));
    js_set(one, "RawInput", js_string(r->args[0]));
    js_push(list, one);
    return reply_json(reply, 200, list, err);
}

struct filter_query {
    char *filters;
};
static const struct option filter_query[] = {
    {"filters", 0, OPTION_STRING, offsetof(struct filter_query, filters)},
    {0},
};

static int prune(struct request *r, struct reply *reply, struct error *err)
{
    const struct filter_query *o = r->options;
    _cleanup_strv_ char **filters = NULL, **ids = NULL;
    int e = filters_parse(o->filters, &filters, err);
    if (e >= 0)
        e = container_prune(r->firn, filters, &ids, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *result = r->libpod ? js_array() : js_object();
    if (!r->libpod) {
        js_set(result, "ContainersDeleted", js_strings(ids));
        js_set(result, "SpaceReclaimed", js_int(0));
        return reply_json(reply, 200, result, err);
    }
    STRV_FOREACH(id, ids)
    {
        struct json *one = js_object();
        js_set(one, "Id", js_string(*id));
        js_set(one, "Size", js_int(0));
        js_push(result, one);
    }
    return reply_json(reply, 200, result, err);
}

/* ---- the terminal ---- */

struct resize_query {
    uint64_t h, w;
    bool running;
};
static const struct option resize_query[] = {
    {"h", 0, OPTION_UINT, offsetof(struct resize_query, h)},
    {"w", 0, OPTION_UINT, offsetof(struct resize_query, w)},
    {"running", 0, OPTION_BOOL, offsetof(struct resize_query, running)},
    {0},
};

static int resize(struct request *r, struct reply *reply, struct error *err)
{
    const struct resize_query *o = r->options;
    struct container_status s;
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = container_status(c, &s, err);
    if (e < 0)
        return e;
    if (!container_state_is_alive(s.state) && s.state != CONTAINER_INITIALIZED)
        return error_kind_set(
            err, ERROR_STATE,
            "cannot resize the terminal of container %s: container state improper", c->id);
    e = monitor_resize(c->run_directory, (unsigned)o->h, (unsigned)o->w);
    if (e < 0)
        return error_errno(err, -e, "cannot resize the terminal of container %s", c->id);
    return reply_empty(reply, 200, err);
}

static int exists(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

#define CHANGES .flags = ROUTE_CHANGES
const struct route containers_routes[] = {
    {"POST", API_LIBPOD, "/containers/create", create_libpod, .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"POST", API_DOCKER, "/containers/create", create_docker, OPTIONS(create_query, create_query),
     .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"POST", API_BOTH, "/containers/prune", prune, OPTIONS(filter_query, filter_query), CHANGES},
    {"GET", API_LIBPOD, "/containers/{name}/exists", exists},
    {"POST", API_LIBPOD, "/containers/{name}/start", start, OPTIONS(start_query, start_query),
     CHANGES},
    {"POST", API_DOCKER, "/containers/{name}/start", start_docker,
     OPTIONS(start_docker_query, start_docker_query), CHANGES},
    {"POST", API_LIBPOD, "/containers/{name}/init", init, CHANGES},
    {"POST", API_BOTH, "/containers/{name}/stop", stop, OPTIONS(stop_query, stop_query), CHANGES},
    {"POST", API_BOTH, "/containers/{name}/restart", restart, OPTIONS(stop_query, stop_query),
     CHANGES},
    {"POST", API_BOTH, "/containers/{name}/kill", send_signal, OPTIONS(kill_query, kill_query),
     CHANGES},
    {"POST", API_BOTH, "/containers/{name}/pause", pause_it, CHANGES},
    {"POST", API_BOTH, "/containers/{name}/unpause", unpause, CHANGES},
    {"POST", API_BOTH, "/containers/{name}/resize", resize, OPTIONS(resize_query, resize_query),
     CHANGES},
    {"DELETE", API_BOTH, "/containers/{name}", remove_it, OPTIONS(remove_query, remove_query),
     CHANGES},
    {0},
};
