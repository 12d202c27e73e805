/* Waiting for a container. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "api/containers.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/wait.h"

struct wait_query {
    char **conditions;
    char *interval;
};
static const struct option wait_query[] = {
    {"condition", 0, OPTION_STRINGS, offsetof(struct wait_query, conditions)},
    {"interval", 0, OPTION_STRING, offsetof(struct wait_query, interval)},
    {0},
};

enum { STEP_NS = 20000000 };

static int interval(const struct wait_query *o, int64_t *ret, struct error *err)
{
    *ret = 250000000;
    return o->interval ? duration_parse(o->interval, ret, err) : 0;
}

/* ---- Podman's ---- */

static int wait_libpod(struct request *r, struct reply *reply, struct error *err)
{
    const struct wait_query *o = r->options;
    _cleanup_container_ struct container *c = NULL;
    int64_t step;
    int code = 0;
    char text[16];
    int e = interval(o, &step, err);
    if (e >= 0)
        e = containers_lookup(r, &c, err);
    /* It has removed itself: its code is known for a while. */
    if (e == -ENOENT && container_wait_removed(r->firn, r->args[0], &code) == 0)
        e = 0;
    else if (e >= 0)
        e = container_wait(c, o->conditions, step, &code, err);
    if (e < 0)
        return e;
    snprintf(text, sizeof(text), "%d\n", code);
    return reply_text(reply, 200, "application/json", text, err);
}

/* ---- Docker's ---- */

static void step(void)
{
    const struct timespec pause = {.tv_nsec = STEP_NS};
    nanosleep(&pause, NULL);
}

/* Its end, or that it is gone: then the code it is known to have had. */
static int wait_for_end(struct container *c, int *ret_code, struct error *err)
{
    return container_wait(c, NULL, STEP_NS, ret_code, err);
}

/* The end of the run that is on, or of the one to come. */
static int wait_for_next_exit(struct container *c, int *ret_code, struct error *err)
{
    struct container_status s;
    int64_t finished_before = c->facts.finished_at;
    for (;;) {
        int e = container_refresh(c, err);
        if (e >= 0)
            e = container_status(c, &s, err);
        if (e == -ENOENT && container_wait_removed(c->firn, c->id, ret_code) == 0)
            return 0;
        if (e < 0)
            return e;
        if (container_state_is_alive(s.state) || s.state == CONTAINER_STOPPED)
            return wait_for_end(c, ret_code, err);
        if (s.state == CONTAINER_EXITED && c->facts.finished_at != finished_before) {
            *ret_code = s.exit_code;
            return 0;
        }
        step();
    }
}

static int wait_for_removal(struct container *c, int *ret_code, struct error *err)
{
    int e = wait_for_next_exit(c, ret_code, err);
    if (e < 0)
        return e;
    while ((e = container_refresh(c, err)) >= 0)
        step();
    if (e != -ENOENT)
        return e;
    *err = (struct error){0};
    return 0;
}

static const struct {
    const char *name;
    int (*wait)(struct container *c, int *ret_code, struct error *err);
} conditions[] = {
    {"not-running", wait_for_end},
    {"next-exit", wait_for_next_exit},
    {"removed", wait_for_removal},
};

static int wait_docker(struct request *r, struct reply *reply, struct error *err)
{
    const struct wait_query *o = r->options;
    _cleanup_container_ struct container *c = NULL;
    const char *name = o->conditions ? o->conditions[0] : "not-running";
    size_t which = 0;
    int code = 0;
    while (which < ARRAY_LEN(conditions) && !string_equal(conditions[which].name, name))
        which++;
    if (which == ARRAY_LEN(conditions))
        return error_kind_set(err, ERROR_USAGE, "invalid condition: \"%s\"", name);
    int e = containers_lookup(r, &c, err);
    /* The client starts the container when it has got the head. */
    if (e >= 0)
        e = reply_stream(reply, 200, "application/json", err);
    if (e < 0)
        return e;
    struct error why = {0};
    e = conditions[which].wait(c, &code, &why);
    _cleanup_json_ struct json *result = js_object();
    struct json *failure = e < 0 ? js_object() : js_null();
    if (e < 0)
        js_set(failure, "Message", js_string(why.text));
    js_set(result, "StatusCode", js_int(e < 0 ? -1 : code));
    js_set(result, "Error", failure);
    return reply_line(reply, result, err);
}

const struct route containers_wait_routes[] = {
    {"POST", API_LIBPOD, "/containers/{name}/wait", wait_libpod, OPTIONS(wait_query, wait_query),
     ROUTE_CANCEL},
    {"POST", API_DOCKER, "/containers/{name}/wait", wait_docker, OPTIONS(wait_query, wait_query),
     ROUTE_CANCEL},
    {0},
};
