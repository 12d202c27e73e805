#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "container/firn.h"
#include "store/event.h"

struct events_command_options {
    bool stream, no_trunc;
    char *format, *since, *until;
    char **filters;
};

#define EVENTS(field) offsetof(struct events_command_options, field)

static const struct option table[] = {
    {"filter", 'f', OPTION_STRINGS, EVENTS(filters), "stringArray", "Filter output"},
    {"format", 0, OPTION_STRING, EVENTS(format), "string",
     "Format the output using a Go template, or json"},
    {"no-trunc", 0, OPTION_BOOL, EVENTS(no_trunc), .help = "Do not truncate the output",
     .initial = "true"},
    {"since", 0, OPTION_STRING, EVENTS(since), "string", "Show all events created since TIMESTAMP"},
    {"stream", 0, OPTION_BOOL, EVENTS(stream),
     .help = "Stream new events; for all events until now use --stream=false", .initial = "true"},
    {"until", 0, OPTION_STRING, EVENTS(until), "string", "Show all events until TIMESTAMP"},
    {0},
};

struct show {
    const struct events_command_options *options;
    const char *format; /* normalized, NULL: text */
    bool json;
};

static void print_json(const struct json *event)
{
    _cleanup_free_ char *text = js_dump(event, 0);
    printf("%s\n", text);
}

/* Podman's templates name all fields, whether an event has them or not. */
static struct json *whole_row(const struct json *event)
{
    static const char *const fields[] = {"ID", "Image", "Name", "Status", "Time", "Type"};
    struct json *row = js_copy(event);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!js_get(row, fields[i]))
            js_set(row, fields[i], js_string(""));
    if (!js_get(row, "ContainerExitCode"))
        js_set(row, "ContainerExitCode", js_int(0));
    return row;
}

static int show(void *context, const struct json *event, struct error *err)
{
    static const struct template_options names = {"events", "events.Event"};
    const struct show *s = context;
    int r = 0;
    if (s->json) {
        print_json(event);
    } else if (s->format) {
        _cleanup_json_ struct json *row = whole_row(event);
        r = report_object(&names, s->format, row, err);
    } else {
        _cleanup_free_ char *text = event_text(event, s->options->no_trunc);
        printf("%s\n", text);
    }
    fflush(stdout);
    return r < 0 ? r : ferror(stdout) ? 1 : 0;
}

/* The reader of our output went away. */
static bool nobody_listens(void *context)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

static int time_option(const char *name, const char *value, int64_t *ret, struct error *err)
{
    if (!value)
        return 0;
    int r = time_parse(value, ret, err);
    return r < 0 ? error_wrap(err, "unable to parse --%s \"%s\"", name, value) : 0;
}

static int run(struct call *call, struct error *err)
{
    const struct events_command_options *o = call->options;
    struct event_query q = {
        .filters = o->filters, .stream = o->stream, .tail = o->stream, .cancelled = nobody_listens};
    int r = time_option("since", o->since, &q.since, err);
    if (r >= 0)
        r = time_option("until", o->until, &q.until, err);
    if (r < 0)
        return r;
    struct show s = {.options = o, .format = o->format, .json = report_is_json(o->format)};
    r = event_read(call->firn->store, &q, show, &s, err);
    return r < 0 ? r : 0;
}

const struct command command_events = {
    .paths = {"events", "system events"},
    .usage = "[options]",
    .help = "Show firn events",
    .options = table,
    .options_size = sizeof(struct events_command_options),
    .run = run,
};
