/* Executions, firn's own resource: /firn/executions. What is asked of one that is not over goes to
 * its supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "api/routes.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/signals.h"
#include "execution/cleanup.h"
#include "execution/control.h"
#include "execution/logs.h"
#include "execution/place.h"
#include "execution/recover.h"
#include "execution/start.h"
#include "store/store.h"

static int find(struct request *r, struct execution **ret, struct error *err)
{
    int e = recover_all(r->firn, err);
    return e < 0 ? e : execution_lookup(r->firn, r->args[0], ret, err);
}

/* ---- beginning ---- */

struct start_query {
    char *store;
    int64_t retries, backoff, grace;
};
#define START(member) offsetof(struct start_query, member)
static const struct option start_query[] = {
    {"store", 0, OPTION_STRING, START(store)},
    {"retries", 0, OPTION_INT, START(retries), .initial = "5"},
    {"backoff", 0, OPTION_DURATION, START(backoff), .initial = "1s"},
    {"grace", 0, OPTION_DURATION, START(grace), .initial = "10s"},
    {0},
};

static struct start_options start_options(const struct request *r)
{
    const struct start_query *q = r->options;
    return (struct start_options){
        .store = q->store, .retries = q->retries, .backoff = q->backoff, .grace = q->grace};
}

static int answer_id(const struct execution *e, struct reply *reply, struct error *err)
{
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "Id", js_string(e->id));
    return reply_json(reply, 201, o, err);
}

static int start(struct request *r, struct reply *reply, struct error *err)
{
    const struct start_options o = start_options(r);
    _cleanup_execution_ struct execution *e = NULL;
    int n = execution_start(r->firn, r->json, &o, &e, err);
    return n < 0 ? n : answer_id(e, reply, err);
}

static int spool(const struct request *r, const char *path, struct error *err)
{
    char chunk[1 << 16];
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0) {
        n = read_full(STDIN_FILENO, chunk, sizeof(chunk));
        if (n > 0 && write_full(fd, chunk, (size_t)n) < 0)
            n = -1;
    }
    return n < 0 ? error_errno(err, errno, "cannot keep the uploaded checkpoint in %s", path) : 0;
}

/* The file becomes the execution's own checkpoint: it has to be on disk in any case. */
static int restore(struct request *r, struct reply *reply, struct error *err)
{
    const struct start_options o = start_options(r);
    _cleanup_temp_dir_ char *directory = NULL;
    _cleanup_execution_ struct execution *e = NULL;
    int n = store_temp_dir(r->firn->store, "upload", &directory, err);
    if (n < 0)
        return n;
    _cleanup_free_ char *path = path_join(directory, "checkpoint");
    n = spool(r, path, err);
    if (n == 0)
        n = execution_restore(r->firn, path, &o, &e, err);
    return n < 0 ? n : answer_id(e, reply, err);
}

/* ---- looking ---- */

static int list(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_execution_list_ struct execution_list all = {0};
    _cleanup_json_ struct json *array = js_array();
    int n = recover_all(r->firn, err);
    if (n == 0)
        n = execution_list_all(r->firn, &all, err);
    for (size_t i = 0; n == 0 && i < all.count; i++)
        js_push(array, execution_describe(all.items[i]));
    return n < 0 ? n : reply_json(reply, 200, array, err);
}

static int inspect(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_execution_ struct execution *e = NULL;
    int n = find(r, &e, err);
    if (n < 0)
        return n;
    _cleanup_json_ struct json *o = execution_describe(e);
    return reply_json(reply, 200, o, err);
}

struct logs_query {
    bool follow, timestamps;
    int64_t tail;
};
#define LOGS(member) offsetof(struct logs_query, member)
static const struct option logs_query[] = {
    {"follow", 0, OPTION_BOOL, LOGS(follow)},
    {"timestamps", 0, OPTION_BOOL, LOGS(timestamps)},
    {"tail", 0, OPTION_INT, LOGS(tail), .initial = "-1"},
    {0},
};

static int write_log(void *context, bool is_stderr, const char *text, size_t size)
{
    return reply_write(context, text, size, NULL);
}

static int logs(struct request *r, struct reply *reply, struct error *err)
{
    const struct logs_query *q = r->options;
    _cleanup_execution_ struct execution *e = NULL;
    struct logs_options o = LOGS_OPTIONS_INIT;
    o.follow = q->follow;
    o.timestamps = q->timestamps;
    o.tail = q->tail;
    o.write = write_log;
    o.context = reply;
    int n = find(r, &e, err);
    if (n == 0)
        n = reply_stream_deferred(reply, 200, "text/plain; charset=utf-8", err);
    return n < 0 ? n : execution_logs(e, &o, err);
}

static int wait_for(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_execution_ struct execution *e = NULL;
    int n = find(r, &e, err);
    if (n == 0)
        n = control_wait(e, err);
    if (n < 0)
        return n;
    _cleanup_json_ struct json *o = execution_describe(e);
    return reply_json(reply, 200, o, err);
}

/* The file itself. */
static int download(struct request *r, struct reply *reply, struct error *err)
{
    char chunk[1 << 16];
    _cleanup_execution_ struct execution *e = NULL;
    int n = find(r, &e, err);
    if (n < 0)
        return n;
    _cleanup_free_ char *path = place_checkpoint(e);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return error_kind_set(err, ERROR_NOT_FOUND, "execution %s has no checkpoint", e->id);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    n = reply_stream(reply, 200, "application/octet-stream", err);
    for (ssize_t size = 1; n >= 0 && size > 0;) {
        size = read_full(fd, chunk, sizeof(chunk));
        n = size < 0 ? error_errno(err, (int)-size, "cannot read %s", path)
                     : reply_write(reply, chunk, (size_t)size, err);
    }
    return n < 0 ? n : 0;
}

/* ---- asking ---- */

static int ask(struct request *r, const char *path, struct json *body, struct reply *reply,
               struct error *err)
{
    _cleanup_json_ struct json *owned = body, *answer = NULL;
    _cleanup_execution_ struct execution *e = NULL;
    int n = find(r, &e, err);
    if (n == 0)
        n = control_ask(e, "POST", path, owned, &answer, err);
    return n < 0 ? n : reply_json(reply, 200, answer, err);
}

struct checkpoint_query {
    bool leave_running;
};
static const struct option checkpoint_query[] = {
    {"leaveRunning", 0, OPTION_BOOL, offsetof(struct checkpoint_query, leave_running)},
    {0},
};

static int checkpoint(struct request *r, struct reply *reply, struct error *err)
{
    const struct checkpoint_query *q = r->options;
    struct json *body = js_object();
    js_set(body, "leave_running", js_bool(q->leave_running));
    return ask(r, "/checkpoint", body, reply, err);
}

static int suspend(struct request *r, struct reply *reply, struct error *err)
{
    return ask(r, "/suspend", js_ref(r->json), reply, err);
}

static int resume(struct request *r, struct reply *reply, struct error *err)
{
    return ask(r, "/resume", NULL, reply, err);
}

struct kill_query {
    char *signal;
};
static const struct option kill_query[] = {
    {"signal", 0, OPTION_STRING, offsetof(struct kill_query, signal), .initial = "KILL"},
    {0},
};

static int kill_it(struct request *r, struct reply *reply, struct error *err)
{
    const struct kill_query *q = r->options;
    int signal = signal_parse(q->signal, err);
    if (signal < 0)
        return signal;
    struct json *body = js_object();
    js_set(body, "signal", js_int(signal));
    return ask(r, "/kill", body, reply, err);
}

struct remove_query {
    bool force;
};
static const struct option remove_query[] = {
    {"force", 0, OPTION_BOOL, offsetof(struct remove_query, force)},
    {0},
};

static int clean(struct request *r, struct reply *reply, struct error *err)
{
    const struct remove_query *q = r->options;
    _cleanup_execution_ struct execution *e = NULL;
    int n = find(r, &e, err);
    if (n == 0)
        n = execution_cleanup(e, q->force, err);
    return n < 0 ? n : reply_empty(reply, 204, err);
}

#define EXECUTION "/firn/executions/{id}"
const struct route executions_routes[] = {
    {"GET", API_BOTH, "/firn/executions", list},
    {"POST", API_BOTH, "/firn/executions", start, OPTIONS(start_query, start_query),
     ROUTE_BODY | ROUTE_CHANGES},
    {"POST", API_BOTH, "/firn/executions/restore", restore, OPTIONS(start_query, start_query),
     ROUTE_UPLOAD | ROUTE_CHANGES},
    {"GET", API_BOTH, EXECUTION, inspect},
    {"DELETE", API_BOTH, EXECUTION, clean, OPTIONS(remove_query, remove_query), ROUTE_CHANGES},
    {"GET", API_BOTH, EXECUTION "/checkpoint", download},
    {"POST", API_BOTH, EXECUTION "/checkpoint", checkpoint,
     OPTIONS(checkpoint_query, checkpoint_query), ROUTE_CHANGES},
    {"GET", API_BOTH, EXECUTION "/logs", logs, OPTIONS(logs_query, logs_query), ROUTE_CANCEL},
    {"POST", API_BOTH, EXECUTION "/kill", kill_it, OPTIONS(kill_query, kill_query), ROUTE_CHANGES},
    {"POST", API_BOTH, EXECUTION "/resume", resume, .flags = ROUTE_CHANGES},
    {"POST", API_BOTH, EXECUTION "/suspend", suspend, .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"POST", API_BOTH, EXECUTION "/wait", wait_for, .flags = ROUTE_CANCEL},
    {0},
};
