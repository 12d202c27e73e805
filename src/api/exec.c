/* Commands in running containers. */
#include <string.h>

#include "api/containers.h"
#include "api/pump.h"
#include "api/routes.h"
#include "base/strv.h"
#include "container/session.h"

/* ---- create ---- */

struct exec_body {
    bool privileged, tty, input, output, errors, detach;
    char *user, *detach_keys, *workdir;
    char **env, **command;
    char *console_size;
};
#define EXEC(member) offsetof(struct exec_body, member)
static const struct option exec_body[] = {
    {"AttachStderr", 0, OPTION_BOOL, EXEC(errors)},
    {"AttachStdin", 0, OPTION_BOOL, EXEC(input)},
    {"AttachStdout", 0, OPTION_BOOL, EXEC(output)},
    {"Cmd", 0, OPTION_STRINGS, EXEC(command)},
    {"Detach", 0, OPTION_BOOL, EXEC(detach)},
    {"DetachKeys", 0, OPTION_STRING, EXEC(detach_keys)},
    {"Env", 0, OPTION_STRINGS, EXEC(env)},
    {"Privileged", 0, OPTION_BOOL, EXEC(privileged)},
    {"Tty", 0, OPTION_BOOL, EXEC(tty)},
    {"User", 0, OPTION_STRING, EXEC(user)},
    {"WorkingDir", 0, OPTION_STRING, EXEC(workdir)},
    {0},
};

static char *text_or_null(char *text)
{
    return text && *text ? text : NULL;
}

static int create(struct request *r, struct reply *reply, struct error *err)
{
    struct exec_body b = {0};
    _cleanup_container_ struct container *c = NULL;
    _cleanup_free_ char *id = NULL;
    js_remove(r->json, "ConsoleSize"); /* the size comes by resize */
    js_remove(r->json, "Container");
    int e = option_from_json(exec_body, &b, r->json, err);
    if (e >= 0)
        e = containers_lookup(r, &c, err);
    const struct exec_options o = {
        .command = b.command,
        .env = b.env,
        .user = text_or_null(b.user),
        .workdir = text_or_null(b.workdir),
        .tty = b.tty,
        .interactive = b.input,
        .privileged = b.privileged,
    };
    if (e >= 0)
        e = session_create(c, &o, b.output || b.errors, &id, err);
    option_free(exec_body, &b);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *result = js_object();
    js_set(result, "Id", js_string(id));
    return reply_json(reply, 201, result, err);
}

/* ---- start ---- */

struct start_body {
    bool detach, tty;
    int64_t h, w;
};
static const struct option start_body[] = {
    {"Detach", 0, OPTION_BOOL, offsetof(struct start_body, detach)},
    {"Tty", 0, OPTION_BOOL, offsetof(struct start_body, tty)},
    {"h", 0, OPTION_INT, offsetof(struct start_body, h)},
    {"w", 0, OPTION_INT, offsetof(struct start_body, w)},
    {0},
};

/* A command that cannot be run is known only when it was tried, the connection handed over. */
static void tell_failure(const struct pump *p, const struct error *why)
{
    enum frame_stream stream = p->tty ? FRAME_STDOUT : FRAME_STDERR;
    pump_write(p, stream, why->text, strlen(why->text));
    pump_write(p, stream, "\r\n", 2);
}

static int start_attached(struct session *s, const struct start_body *b, struct reply *reply,
                          struct error *err)
{
    struct monitor_session m;
    _cleanup_buf_ struct buf early = {0};
    int e = session_start(s, true, &m, err);
    if (e < 0)
        return e;
    int client = reply_hijack(reply, "application/vnd.docker.raw-stream", &early, err);
    if (client < 0)
        return client;
    const struct pump p = {
        .client_fd = client,
        .attach_fd = m.attach_fd,
        .tty = session_has_tty(s),
        .input = session_has_stdin(s),
        .output = true,
        .errors = true,
    };
    if (b->h > 0 && b->w > 0 && p.tty)
        session_resize(s, (unsigned)b->h, (unsigned)b->w, NULL);
    struct error why = {0};
    if (session_begin(s, &m, &why) < 0)
        tell_failure(&p, &why);
    else if (pump_run(&p, &early, &why) == 1)
        session_wait(s, &m);
    return 0;
}

static int start(struct request *r, struct reply *reply, struct error *err)
{
    struct start_body b = {0};
    struct monitor_session m;
    _cleanup_session_ struct session *s = NULL;
    js_remove(r->json, "ConsoleSize");
    int e = option_from_json(start_body, &b, r->json, err);
    if (e >= 0)
        e = session_lookup(r->firn, r->args[0], &s, err);
    if (e < 0)
        return e;
    if (!b.detach)
        return start_attached(s, &b, reply, err);
    e = session_start(s, false, &m, err);
    monitor_session_close(&m);
    return e < 0 ? e : reply_empty(reply, 200, err);
}

/* ---- the rest ---- */

static int inspect(struct request *r, struct reply *reply, struct error *err)
{
    _cleanup_session_ struct session *s = NULL;
    struct session_status status;
    int e = session_lookup(r->firn, r->args[0], &s, err);
    if (e < 0)
        return e;
    session_status(s, &status);
    _cleanup_strv_ char **command = js_get_strings(s->record, "Command");
    struct json *process = js_object();
    js_set(process, "entrypoint", js_string(command && command[0] ? command[0] : ""));
    js_set(process, "arguments", js_strings(command && command[0] ? command + 1 : NULL));
    js_set(process, "privileged", js_bool(js_get_bool(s->record, "Privileged", false)));
    js_set(process, "tty", js_bool(session_has_tty(s)));
    const char *user = js_get_string(s->record, "User");
    js_set(process, "user", js_string(user ? user : ""));
    bool output = js_get_bool(s->record, "Output", false);
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "ID", js_string(s->id));
    js_set(o, "ContainerID", js_string(s->c->id));
    js_set(o, "CanRemove", js_bool(false));
    js_set(o, "DetachKeys", js_string(""));
    js_set(o, "ExitCode", js_int(status.exit_code));
    js_set(o, "OpenStderr", js_bool(output));
    js_set(o, "OpenStdin", js_bool(session_has_stdin(s)));
    js_set(o, "OpenStdout", js_bool(output));
    js_set(o, "Running", js_bool(status.state == SESSION_RUNNING));
    js_set(o, "Pid", js_int(status.pid));
    js_set(o, "ProcessConfig", process);
    return reply_json(reply, 200, o, err);
}

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
    _cleanup_session_ struct session *s = NULL;
    struct session_status status;
    int e = session_lookup(r->firn, r->args[0], &s, err);
    if (e < 0)
        return e;
    session_status(s, &status);
    if (status.state != SESSION_RUNNING)
        return error_kind_set(err, ERROR_STATE,
                              "cannot resize the terminal of exec session %s: it is not running: "
                              "exec session state improper",
                              s->id);
    e = session_resize(s, (unsigned)o->h, (unsigned)o->w, err);
    return e < 0 ? e : reply_empty(reply, 201, err);
}

const struct route exec_routes[] = {
    {"POST", API_BOTH, "/containers/{name}/exec", create, .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"POST", API_BOTH, "/exec/{id}/start", start, .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"GET", API_BOTH, "/exec/{id}/json", inspect},
    {"POST", API_BOTH, "/exec/{id}/resize", resize, OPTIONS(resize_query, resize_query),
     ROUTE_CHANGES},
    {0},
};
