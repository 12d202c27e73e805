/* What happens, as it happens. */
#include <string.h>

#include "api/filters.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/firn.h"
#include "store/event.h"

struct events_query {
    bool stream;
    char *since, *until, *filters;
};
static const struct option events_query[] = {
    {"stream", 0, OPTION_BOOL, offsetof(struct events_query, stream), .initial = "true"},
    {"since", 0, OPTION_STRING, offsetof(struct events_query, since)},
    {"until", 0, OPTION_STRING, offsetof(struct events_query, until)},
    {"filters", 0, OPTION_STRING, offsetof(struct events_query, filters)},
    {0},
};

/* Docker has other words for some. */
static const char *docker_status(const char *status)
{
    static const char *const words[][2] = {{"died", "die"}, {"remove", "destroy"}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (string_equal(words[i][0], status))
            return words[i][1];
    return status;
}

/* Podman's client dies of an event without exit code. */
static struct json *attributes(const struct json *event, bool libpod)
{
    struct json *o =
        js_get(event, "Attributes") ? js_copy(js_get(event, "Attributes")) : js_object();
    const char *image = js_get_string(event, "Image"), *name = js_get_string(event, "Name");
    const struct json *code = js_get(event, "ContainerExitCode");
    if (image)
        js_set(o, "image", js_string(image));
    if (name)
        js_set(o, "name", js_string(name));
    if (code || libpod) {
        _cleanup_free_ char *text = code ? js_dump(code, 0) : xstrdup("0");
        js_set(o, "containerExitCode", js_string(text));
        if (code)
            js_set(o, "exitCode", js_string(text));
    }
    return o;
}

struct telling {
    struct request *request;
    struct reply *reply;
};

static int tell(void *context, const struct json *event, struct error *err)
{
    const struct telling *t = context;
    const char *status = js_get_string(event, "Status"), *id = js_get_string(event, "ID");
    const char *image = js_get_string(event, "Image"), *time = js_get_string(event, "Time");
    int64_t ns = 0;
    if (time)
        time_parse(time, &ns, NULL);
    if (!t->request->libpod)
        status = docker_status(status);
    _cleanup_json_ struct json *o = js_object();
    struct json *actor = js_object();
    js_set(actor, "ID", js_string(id ? id : ""));
    js_set(actor, "Attributes", attributes(event, t->request->libpod));
    js_set(o, "status", js_string(status));
    js_set(o, "id", js_string(id ? id : ""));
    js_set(o, "from", js_string(image ? image : ""));
    js_set(o, "Type", js_string(js_get_string(event, "Type")));
    js_set(o, "Action", js_string(status));
    js_set(o, "Actor", actor);
    js_set(o, "scope", js_string("local"));
    js_set(o, "time", js_int(ns / 1000000000));
    js_set(o, "timeNano", js_int(ns));
    return reply_line(t->reply, o, err);
}

static int check_filters(const struct store *s, char *const *filters, struct error *err)
{
    struct event_query none = {.filters = filters, .since = INT64_MAX};
    return event_read(s, &none, tell, NULL, err);
}

static int events(struct request *r, struct reply *reply, struct error *err)
{
    const struct events_query *q = r->options;
    _cleanup_strv_ char **filters = NULL;
    struct event_query o = {.stream = q->stream, .tail = q->stream};
    int e = filters_parse(q->filters, &filters, err);
    if (e >= 0 && q->since)
        e = time_parse(q->since, &o.since, err);
    if (e >= 0 && q->until)
        e = time_parse(q->until, &o.until, err);
    if (e < 0)
        return error_kind_set(err, ERROR_USAGE, "%s", (const char *)err->text);
    o.filters = filters;
    e = check_filters(r->firn->store, filters, err);
    if (e >= 0)
        e = reply_stream(reply, 200, "application/json", err);
    struct telling t = {.request = r, .reply = reply};
    return e < 0 ? e : event_read(r->firn->store, &o, tell, &t, err);
}

const struct route events_routes[] = {
    {"GET", API_BOTH, "/events", events, OPTIONS(events_query, events_query), ROUTE_CANCEL},
    {0},
};
