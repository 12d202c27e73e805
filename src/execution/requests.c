#include "execution/requests.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/signals.h"
#include "execution/place.h"
#include "execution/vessel.h"

#define TOKEN_MAX 256

/* One request. A function answers it itself, or returns a negative error, which is answered. */
struct ask {
    struct supervision *s;
    struct connection *c;
    const struct http_request *request;
};

/* ---- arguments ---- */

static int wrong(struct error *err, const char *key, const char *what)
{
    return error_kind_set(err, ERROR_USAGE, "\"%s\" must be %s", key, what);
}

/* Only keys the request knows: a list that ends with NULL. */
static int check_keys(const struct json *body, const char *const *keys, struct error *err)
{
    JSON_FOREACH_KEY((struct json *)body, it)
    if (!strv_contains((char *const *)keys, js_iter_key(it)))
        return error_kind_set(err, ERROR_USAGE, "unknown key \"%s\"", js_iter_key(it));
    return 0;
}

static int get_token(const struct json *body, const char **ret, struct error *err)
{
    const struct json *v = js_get(body, "token");
    *ret = js_text(v);
    if (v && (!*ret || !**ret || strlen(*ret) > TOKEN_MAX))
        return wrong(err, "token", "a string of 1 to 256 bytes");
    return 0;
}

static int get_wake(const struct json *body, int64_t *ret, struct error *err)
{
    const struct json *length = js_get(body, "for"), *until = js_get(body, "until");
    bool signal = js_get_bool(body, "until_signal", false);
    int64_t ns = 0;
    *ret = 0;
    if ((length != NULL) + (until != NULL) + signal != 1)
        return error_kind_set(err, ERROR_USAGE,
                              "one of \"for\", \"until\" and \"until_signal\" says how long to "
                              "be suspended");
    if (until)
        return js_text(until) ? time_parse(js_text(until), ret, err)
                              : wrong(err, "until", "a time as in RFC 3339");
    if (signal)
        return 0;
    if (js_text(length)) {
        int r = duration_parse(js_text(length), &ns, err);
        if (r < 0)
            return r;
    } else if (js_is_int(length) || js_is_real(length)) {
        double seconds = js_real_value(length);
        ns = seconds < 1e9 ? (int64_t)(seconds * 1e9) : -1;
    }
    if (ns <= 0)
        return wrong(err, "for", "a duration like \"90s\", or a number of seconds");
    *ret = now_ns() + ns;
    return 0;
}

/* ---- checkpoints ---- */

static void answer_side(struct supervision *s, struct connection *c)
{
    struct json *o = js_object();
    js_set(o, "side", js_string(s->e->after ? "after" : "before"));
    js_set(o, "sequence", js_int(s->e->sequence));
    js_set(o, "restores", js_int(s->e->restores));
    server_answer(c, 200, o);
}

static struct connection *who_asked(const struct pending *p)
{
    struct connection *c = p->connection;
    return c && c->fd >= 0 && c->serial == p->serial ? c : NULL;
}

/* The container ends with the checkpoint: said before, so that whoever comes after a kill in
 * between knows what was wanted. */
static int suspend(struct supervision *s, const struct pending *p, struct error *err)
{
    struct execution *e = s->e;
    e->state = EXECUTION_SUSPENDING;
    e->wake_at = p->wake_at;
    supervision_save(s);
    int r = vessel_checkpoint(e, p->token, false, err);
    e->state = r < 0 ? EXECUTION_RUNNING : EXECUTION_SUSPENDED;
    s->ran = r < 0;
    if (r < 0)
        e->wake_at = 0;
    supervision_save(s);
    return r;
}

static void perform(struct supervision *s)
{
    struct pending p = s->pending;
    struct error err = {0};
    s->pending = (struct pending){0};
    int r =
        p.suspend ? suspend(s, &p, &err) : vessel_checkpoint(s->e, p.token, p.leave_running, &err);
    struct connection *c = who_asked(&p);
    if (c && r < 0)
        server_refuse(c, &err);
    else if (c)
        answer_side(s, c);
    free(p.token);
}

/* Now, or when the last lock is released. */
static int request_checkpoint(struct ask *a, const char *token, bool is_suspend, int64_t wake_at,
                              struct error *err)
{
    struct supervision *s = a->s;
    struct execution *e = s->e;
    if (token && string_equal(token, e->token)) {
        answer_side(s, a->c); /* asked before, see supervisor.h */
        return 0;
    }
    if (e->state != EXECUTION_RUNNING || s->init_fd < 0)
        return error_kind_set(err, ERROR_STATE, "execution %s does not run: it is %s", e->id,
                              execution_state_name(e->state));
    if (s->pending.waits)
        return error_kind_set(err, ERROR_STATE,
                              "another checkpoint of execution %s waits for the worker's locks",
                              e->id);
    s->pending = (struct pending){
        .waits = true,
        .connection = a->c,
        .serial = a->c->serial,
        .deadline = monotonic_ns() + e->policy.grace,
        .suspend = is_suspend,
        .leave_running = true,
        .wake_at = wake_at,
        .token = xstrdup_null(token),
    };
    if (!js_count(e->locks))
        perform(s);
    return 0;
}

static int checkpoint(struct ask *a, struct error *err)
{
    static const char *const worker_keys[] = {"token", NULL};
    static const char *const admin_keys[] = {"token", "leave_running", NULL};
    const struct json *body = a->request->body;
    const char *token = NULL;
    int r = check_keys(body, a->c->admin ? admin_keys : worker_keys, err);
    if (r == 0)
        r = get_token(body, &token, err);
    bool stays = js_get_bool(body, "leave_running", true);
    return r < 0 ? r : request_checkpoint(a, token, !stays, 0, err);
}

static int ask_suspend(struct ask *a, struct error *err)
{
    static const char *const keys[] = {"token", "for", "until", "until_signal", NULL};
    const struct json *body = a->request->body;
    const char *token = NULL;
    int64_t wake_at;
    int r = check_keys(body, keys, err);
    if (r == 0)
        r = get_token(body, &token, err);
    if (r == 0)
        r = get_wake(body, &wake_at, err);
    return r < 0 ? r : request_checkpoint(a, token, true, wake_at, err);
}

/* ---- locks ---- */

static const char *holder_of(const struct ask *a)
{
    const char *name = js_get_string(a->request->body, "holder");
    return name && *name ? name : "worker";
}

static size_t find_holder(const struct json *locks, const char *name)
{
    JSON_FOREACH(locks, i)
    if (string_equal(js_text(js_at(locks, i)), name))
        return i;
    return js_count(locks);
}

static void answer_locks(const struct ask *a)
{
    struct json *o = js_object();
    js_set(o, "locks", js_copy(a->s->e->locks));
    server_answer(a->c, 200, o);
}

static int check_holder(const struct ask *a, struct error *err)
{
    static const char *const keys[] = {"holder", NULL};
    const struct json *v = js_get(a->request->body, "holder");
    if (v && (!js_text(v) || strlen(js_text(v)) > TOKEN_MAX))
        return wrong(err, "holder", "a string of at most 256 bytes");
    return check_keys(a->request->body, keys, err);
}

/* Taken twice by the same it is taken once: a worker that did not get the answer asks again. */
static int lock(struct ask *a, struct error *err)
{
    struct json *locks = a->s->e->locks;
    int r = check_holder(a, err);
    if (r < 0)
        return r;
    if (find_holder(locks, holder_of(a)) == js_count(locks)) {
        js_push(locks, js_string(holder_of(a)));
        supervision_save(a->s);
    }
    answer_locks(a);
    return 0;
}

static int unlock(struct ask *a, struct error *err)
{
    struct json *locks = a->s->e->locks;
    int r = check_holder(a, err);
    if (r < 0)
        return r;
    size_t i = find_holder(locks, holder_of(a));
    if (i < js_count(locks)) {
        js_remove_at(locks, i);
        supervision_save(a->s);
    }
    answer_locks(a);
    if (a->s->pending.waits && !js_count(locks))
        perform(a->s);
    return 0;
}

/* ---- the end ---- */

static int ask_exit(struct ask *a, struct error *err)
{
    static const char *const keys[] = {"code", "output", NULL};
    const struct json *body = a->request->body, *code = js_get(body, "code");
    int64_t number = js_get_int(body, "code", 0);
    int r = check_keys(body, keys, err);
    if (r < 0)
        return r;
    if (code && (!js_is_int(code) || number < 0 || number > 255))
        return wrong(err, "code", "a number from 0 to 255");
    if (!execution_is_over(a->s->e)) {
        js_unref(a->s->e->output);
        a->s->e->output = js_get(body, "output") ? js_copy(js_get(body, "output")) : NULL;
        supervision_note(a->s, NULL);
        supervision_end(a->s, EXECUTION_FINISHED, (int)number);
    }
    server_answer(a->c, 200, js_object());
    return 0;
}

static int ask_kill(struct ask *a, struct error *err)
{
    struct execution *e = a->s->e;
    int signal = (int)js_get_int(a->request->body, "signal", SIGKILL);
    if (signal < 1 || signal >= SIGRTMAX)
        return wrong(err, "signal", "the number of a signal");
    if (!execution_is_over(e)) {
        e->wake_at = 0;
        supervision_end(a->s, EXECUTION_KILLED, 128 + signal);
    }
    int r = vessel_kill(e, signal, err);
    if (r < 0)
        return r;
    server_answer(a->c, 200, js_object());
    return 0;
}

static int resume(struct ask *a, struct error *err)
{
    struct execution *e = a->s->e;
    if (e->state != EXECUTION_SUSPENDED)
        return error_kind_set(err, ERROR_STATE, "execution %s is not suspended: it is %s", e->id,
                              execution_state_name(e->state));
    e->state = EXECUTION_RUNNING;
    e->wake_at = 0;
    supervision_save(a->s);
    server_answer(a->c, 200, js_object());
    return 0;
}

static int show(struct ask *a, struct error *err)
{
    const struct execution *e = a->s->e;
    struct json *o = js_object();
    js_set(o, "id", js_string(e->id));
    js_set(o, "state", js_string(execution_state_name(e->state)));
    js_set(o, "sequence", js_int(e->sequence));
    js_set(o, "restores", js_int(e->restores));
    js_set(o, "locks", js_copy(e->locks));
    server_answer(a->c, 200, o);
    return 0;
}

/* ---- all of them ---- */

static const struct {
    const char *method, *path;
    bool admin;
    int (*run)(struct ask *a, struct error *err);
} routes[] = {
    {"POST", "/checkpoint", false, checkpoint},
    {"POST", "/suspend", false, ask_suspend},
    {"POST", "/lock", false, lock},
    {"POST", "/unlock", false, unlock},
    {"POST", "/exit", false, ask_exit},
    {"GET", "/execution", false, show},
    {"POST", "/kill", true, ask_kill},
    {"POST", "/resume", true, resume},
};

static int serve(struct ask *a, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (string_equal(routes[i].path, a->request->path) &&
            string_equal(routes[i].method, a->request->method) && (a->c->admin || !routes[i].admin))
            return routes[i].run(a, err);
    return error_kind_set(err, ERROR_NOT_FOUND, "there is no %s %s", a->request->method,
                          a->request->path);
}

int64_t requests_deadline(const struct supervision *s)
{
    int64_t left = s->pending.deadline - monotonic_ns();
    return !s->pending.waits ? -1 : left > 0 ? left : 0;
}

/* Grace is over, or the worker has ended meanwhile. */
static void give_up(struct supervision *s)
{
    struct error err = {0};
    struct connection *c = who_asked(&s->pending);
    _cleanup_free_ char *holders = js_dump(s->e->locks, 0);
    error_kind_set(&err, ERROR_STATE,
                   "execution %s is not checkpointed: within its grace period of %lld s the "
                   "worker did not release its locks %s",
                   s->e->id, (long long)(s->e->policy.grace / 1000000000), holders);
    if (c)
        server_refuse(c, &err);
    free(s->pending.token);
    s->pending = (struct pending){0};
}

void requests_serve(struct supervision *s)
{
    struct http_request request = {0};
    struct connection *c;
    while ((c = server_next(&s->server, &request))) {
        struct ask a = {.s = s, .c = c, .request = &request};
        struct error err = {0};
        if (serve(&a, &err) < 0)
            server_refuse(c, &err);
        http_request_clear(&request);
    }
    if (s->pending.waits && (requests_deadline(s) == 0 || s->e->state != EXECUTION_RUNNING))
        give_up(s);
}
