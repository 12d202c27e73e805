/* What a container has written and writes: its log, and being attached to it. */
#include <stdlib.h>
#include <string.h>

#include "api/containers.h"
#include "api/pump.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/logs.h"
#include "container/monitor.h"
#include "container/start.h"

#define RAW_STREAM "application/vnd.docker.raw-stream"

/* ---- logs ---- */

struct logs_query {
    bool follow, output, errors, timestamps, details;
    char *since, *until, *tail;
};
#define LOGS(member) offsetof(struct logs_query, member)
static const struct option logs_query[] = {
    {"follow", 0, OPTION_BOOL, LOGS(follow)},
    {"stdout", 0, OPTION_BOOL, LOGS(output)},
    {"stderr", 0, OPTION_BOOL, LOGS(errors)},
    {"timestamps", 0, OPTION_BOOL, LOGS(timestamps)},
    {"details", 0, OPTION_BOOL, LOGS(details)},
    {"since", 0, OPTION_STRING, LOGS(since)},
    {"until", 0, OPTION_STRING, LOGS(until)},
    {"tail", 0, OPTION_STRING, LOGS(tail)},
    {0},
};

struct log_stream {
    struct reply *reply;
    bool output, errors;
    bool plain; /* of a terminal, to Docker's clients */
};

static int write_frame(void *context, bool is_stderr, const char *text, size_t size)
{
    struct log_stream *s = context;
    unsigned char head[FRAME_HEAD];
    if (is_stderr ? !s->errors : !s->output)
        return 0;
    frame_head(head, is_stderr ? FRAME_STDERR : FRAME_STDOUT, size);
    int r = s->plain ? 0 : reply_write(s->reply, head, sizeof(head), NULL);
    return r < 0 ? r : reply_write(s->reply, text, size, NULL);
}

/* Go's zero time says that none is meant. */
static int parse_time(const char *text, int64_t *ret, struct error *err)
{
    if (!text || string_equal(text, "0") || string_starts(text, "0001-01-01"))
        return 0;
    return time_parse(text, ret, err);
}

static int parse_logs(const struct logs_query *q, struct logs_options *ret, struct error *err)
{
    int r = parse_time(q->since, &ret->since, err);
    if (r >= 0)
        r = parse_time(q->until, &ret->until, err);
    if (r < 0)
        return error_kind_set(err, ERROR_USAGE, "%s", (const char *)err->text);
    if (!q->tail || string_equal(q->tail, "all"))
        return 0;
    char *end;
    ret->tail = strtoll(q->tail, &end, 10);
    if (*end)
        return error_kind_set(err, ERROR_USAGE, "tail=%s is no number", q->tail);
    return 0;
}

static int logs(struct request *r, struct reply *reply, struct error *err)
{
    const struct logs_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    struct log_stream stream = {.reply = reply, .output = q->output, .errors = q->errors};
    struct logs_options o = LOGS_OPTIONS_INIT;
    o.follow = q->follow;
    o.timestamps = q->timestamps;
    o.write = write_frame;
    o.context = &stream;
    if (!q->output && !q->errors)
        return error_kind_set(err, ERROR_USAGE,
                              "bad parameters: you must choose at least one of stdout or stderr");
    int e = parse_logs(q, &o, err);
    if (e >= 0)
        e = containers_lookup(r, &c, err);
    if (e < 0)
        return e;
    stream.plain = !r->libpod && container_has_tty(c);
    _cleanup_free_ char *path = container_log_path(c);
    if (!path)
        return container_logs(c, &o, err); /* says why there is none */
    e = reply_stream(reply, 200, r->libpod ? "application/octet-stream" : RAW_STREAM, err);
    return e < 0 ? e : container_logs(c, &o, err);
}

/* ---- attach ---- */

struct attach_query {
    bool input, output, errors, stream, logs;
    char *detach_keys;
};
#define ATTACH(member) offsetof(struct attach_query, member)
static const struct option attach_query[] = {
    {"stdin", 0, OPTION_BOOL, ATTACH(input)},
    {"stdout", 0, OPTION_BOOL, ATTACH(output)},
    {"stderr", 0, OPTION_BOOL, ATTACH(errors)},
    {"stream", 0, OPTION_BOOL, ATTACH(stream)},
    {"logs", 0, OPTION_BOOL, ATTACH(logs)},
    {"detachKeys", 0, OPTION_STRING, ATTACH(detach_keys)},
    {0},
};

/* One that does not run is made ready: it is attached to first and started then, so that nothing is
 * missed. */
static int open_attach(struct container *c, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    struct container_status s;
    r = container_status(locked, &s, err);
    if (r == 0 && !container_state_is_alive(s.state))
        r = start_bring_up(c, err);
    return r < 0 ? r : monitor_attach(c->run_directory, err);
}

static int write_old(void *context, bool is_stderr, const char *text, size_t size)
{
    const struct pump *p = context;
    if (is_stderr ? !p->errors : !p->output)
        return 0;
    return pump_write(p, is_stderr ? FRAME_STDERR : FRAME_STDOUT, text, size);
}

static void send_old(struct container *c, const struct pump *p)
{
    struct logs_options o = LOGS_OPTIONS_INIT;
    o.write = write_old;
    o.context = (void *)p;
    container_logs(c, &o, NULL);
}

static int attach(struct request *r, struct reply *reply, struct error *err)
{
    const struct attach_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_close_ int fd = -1;
    _cleanup_buf_ struct buf early = {0};
    bool chosen = q->output || q->errors || q->input;
    if (!q->stream && !q->logs)
        return error_kind_set(err, ERROR_USAGE,
                              "at least one of stream or logs must be set: invalid argument");
    int e = containers_lookup(r, &c, err);
    if (e >= 0 && q->stream)
        e = fd = open_attach(c, err);
    /* Docker's clients attach to whatever there is; that it cannot be started is for `start` to
     * say. */
    bool hopeless = e < 0 && !r->libpod &&
                    (err->kind == ERROR_COMMAND_NOT_FOUND || err->kind == ERROR_CANNOT_INVOKE);
    if (e < 0 && !hopeless)
        return e;
    _cleanup_close_ int client = reply_hijack(reply, RAW_STREAM, &early, err);
    if (client < 0 || hopeless)
        return client < 0 ? client : 0;
    const struct pump p = {
        .client_fd = client,
        .attach_fd = fd,
        .tty = container_has_tty(c),
        .input = q->input && container_has_stdin(c),
        .output = q->output || !chosen,
        .errors = q->errors || !chosen,
        .detach_keys = q->detach_keys,
    };
    if (q->logs)
        send_old(c, &p);
    return q->stream ? pump_run(&p, &early, err) : 0;
}

const struct route containers_logs_routes[] = {
    {"GET", API_BOTH, "/containers/{name}/logs", logs, OPTIONS(logs_query, logs_query),
     ROUTE_CANCEL},
    {"POST", API_BOTH, "/containers/{name}/attach", attach, OPTIONS(attach_query, attach_query),
     ROUTE_CHANGES},
    {0},
};
