#include "execution/execution.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/firn.h"
#include "execution/place.h"
#include "store/store.h"

#define COLUMNS                                                                                    \
    "id, created, config, policy, state, wake_at, token, after, sequence, checkpoint_at, "         \
    "restores, locks, failures, retry_at, finished_at, exit_code, output, error"

static const char *const state_names[] = {
    [EXECUTION_RUNNING] = "running",     [EXECUTION_SUSPENDING] = "suspending",
    [EXECUTION_SUSPENDED] = "suspended", [EXECUTION_FINISHED] = "finished",
    [EXECUTION_FAILED] = "failed",       [EXECUTION_KILLED] = "killed",
};

const char *execution_state_name(enum execution_state state)
{
    return state_names[state];
}

bool execution_is_over(const struct execution *e)
{
    return e->state >= EXECUTION_FINISHED;
}

static void clear(struct execution *e)
{
    free(e->id);
    js_unref(e->config);
    free(e->policy.store);
    free(e->token);
    js_unref(e->locks);
    js_unref(e->output);
    free(e->error);
    *e = (struct execution){.firn = e->firn};
}

void execution_free(struct execution *e)
{
    clear(e);
    free(e);
}

void execution_list_free(struct execution_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        execution_free(l->items[i]);
    free(l->items);
    *l = (struct execution_list){0};
}

/* ---- the row ---- */

static struct json *parse(const char *text)
{
    struct json *value = NULL;
    if (text)
        js_parse(text, strlen(text), "execution row", &value, NULL);
    return value;
}

static char *policy_text(const struct execution_policy *p)
{
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "store", js_string(p->store));
    js_set(o, "retries", js_int(p->retries));
    js_set(o, "backoff", js_int(p->backoff));
    js_set(o, "grace", js_int(p->grace));
    return js_dump(o, 0);
}

static void read_policy(struct execution_policy *p, const char *text)
{
    _cleanup_json_ struct json *o = parse(text);
    p->store = xstrdup_null(js_get_string(o, "store"));
    p->retries = js_get_int(o, "retries", 0);
    p->backoff = js_get_int(o, "backoff", 0);
    p->grace = js_get_int(o, "grace", 0);
}

static enum execution_state parse_state(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(state_names); i++)
        if (string_equal(state_names[i], name))
            return (enum execution_state)i;
    return EXECUTION_FAILED;
}

static void read_row(struct execution *e, struct statement *q)
{
    clear(e);
    e->id = xstrdup(statement_text(q, 0));
    e->created = statement_int(q, 1);
    e->config = parse(statement_text(q, 2));
    read_policy(&e->policy, statement_text(q, 3));
    e->state = parse_state(statement_text(q, 4));
    e->wake_at = statement_int(q, 5);
    e->token = xstrdup_null(statement_text(q, 6));
    e->after = statement_int(q, 7);
    e->sequence = statement_int(q, 8);
    e->checkpoint_at = statement_int(q, 9);
    e->restores = statement_int(q, 10);
    e->locks = parse(statement_text(q, 11));
    e->failures = statement_int(q, 12);
    e->retry_at = statement_int(q, 13);
    e->finished_at = statement_int(q, 14);
    e->exit_code = (int)statement_int(q, 15);
    e->output = parse(statement_text(q, 16));
    e->error = xstrdup_null(statement_text(q, 17));
    if (!e->locks)
        e->locks = js_array();
}

static struct execution *from_row(struct firn *firn, struct statement *q)
{
    struct execution *e = xcalloc(1, sizeof(*e));
    e->firn = firn;
    read_row(e, q);
    return e;
}

int execution_lookup(struct firn *firn, const char *id, struct execution **ret, struct error *err)
{
    _cleanup_free_ char *pattern = xasprintf("%s*", id);
    _cleanup_statement_ struct statement *q = NULL;
    bool hex = *id && strspn(id, "0123456789abcdef") == strlen(id);
    int r = database_query(firn->store->db, &q, err,
                           "SELECT " COLUMNS " FROM executions WHERE id GLOB ?", "s", pattern);
    if (r >= 0)
        r = hex ? statement_step(q, err) : 0;
    if (r == 0)
        return error_kind_set(err, ERROR_NOT_FOUND,
                              "no execution with ID \"%s\": no such execution", id);
    if (r < 0)
        return r;
    _cleanup_execution_ struct execution *e = from_row(firn, q);
    r = statement_step(q, err);
    if (r > 0)
        return error_kind_set(err, ERROR_CONFLICT, "more than one execution begins with %s", id);
    if (r < 0)
        return r;
    *ret = take_ptr(e);
    return 0;
}

int execution_list_all(struct firn *firn, struct execution_list *ret, struct error *err)
{
    _cleanup_statement_ struct statement *q = NULL;
    _cleanup_execution_list_ struct execution_list list = {0};
    int r = database_query(firn->store->db, &q, err,
                           "SELECT " COLUMNS " FROM executions ORDER BY created, id", NULL);
    while (r >= 0 && (r = statement_step(q, err)) > 0) {
        array_reserve(list.items, list.count, list.room);
        list.items[list.count++] = from_row(firn, q);
    }
    if (r < 0)
        return r;
    *ret = list;
    list = (struct execution_list){0};
    return 0;
}

int execution_insert(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *config = js_dump(e->config, 0), *policy = policy_text(&e->policy);
    int r = database_run(e->firn->store->db, err,
                         "INSERT INTO executions (id, created, config, policy, state) "
                         "VALUES (?, ?, ?, ?, ?)",
                         "sisss", e->id, e->created, config, policy, state_names[e->state]);
    if (r == -EEXIST)
        return error_kind_set(err, ERROR_CONFLICT, "execution %s is here already", e->id);
    return r < 0 ? r : execution_save(e, err);
}

int execution_save(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *locks = e->locks ? js_dump(e->locks, 0) : xstrdup("[]");
    _cleanup_free_ char *output = e->output ? js_dump(e->output, 0) : NULL;
    int r =
        database_run(e->firn->store->db, err,
                     "UPDATE executions SET state = ?, wake_at = ?, token = ?, after = ?, "
                     "sequence = ?, checkpoint_at = ?, restores = ?, locks = ?, failures = ?, "
                     "retry_at = ?, finished_at = ?, exit_code = ?, output = ?, error = ? "
                     "WHERE id = ?",
                     "sisbiiisiiiisss", state_names[e->state], e->wake_at, e->token, (int)e->after,
                     e->sequence, e->checkpoint_at, e->restores, locks, e->failures, e->retry_at,
                     e->finished_at, (int64_t)e->exit_code, output, e->error, e->id);
    return r < 0 ? r : 0;
}

int execution_refresh(struct execution *e, struct error *err)
{
    _cleanup_statement_ struct statement *q = NULL;
    int r = database_query(e->firn->store->db, &q, err,
                           "SELECT " COLUMNS " FROM executions WHERE id = ?", "s", e->id);
    if (r >= 0)
        r = statement_step(q, err);
    if (r == 0)
        return error_kind_set(err, ERROR_NOT_FOUND, "execution %s was removed: no such execution",
                              e->id);
    if (r > 0)
        read_row(e, q);
    return r < 0 ? r : 0;
}

int execution_delete(const struct execution *e, struct error *err)
{
    int r =
        database_run(e->firn->store->db, err, "DELETE FROM executions WHERE id = ?", "s", e->id);
    return r < 0 ? r : 0;
}

/* ---- showing ---- */

static struct json *when(int64_t ns)
{
    _cleanup_free_ char *text = ns ? time_rfc3339(ns) : NULL;
    return text ? js_string(text) : js_null();
}

static struct json *describe_checkpoint(const struct execution *e)
{
    struct stat st;
    _cleanup_free_ char *path = place_checkpoint(e);
    if (!e->sequence || stat(path, &st) < 0)
        return js_null();
    struct json *o = js_object();
    js_set(o, "Path", js_string(path));
    js_set(o, "Sequence", js_int(e->sequence));
    js_set(o, "Time", when(e->checkpoint_at));
    js_set(o, "Size", js_int(st.st_size));
    return o;
}

struct json *execution_describe(const struct execution *e)
{
    struct json *o = js_object(), *policy = js_object();
    js_set(o, "Id", js_string(e->id));
    js_set(o, "State", js_string(state_names[e->state]));
    js_set(o, "Created", when(e->created));
    js_set(o, "Config", js_copy(e->config));
    js_set(policy, "Store", js_string(e->policy.store));
    js_set(policy, "Retries", js_int(e->policy.retries));
    js_set(policy, "Backoff", js_real((double)e->policy.backoff / 1e9));
    js_set(policy, "Grace", js_real((double)e->policy.grace / 1e9));
    js_set(o, "Policy", policy);
    js_set(o, "Checkpoint", describe_checkpoint(e));
    js_set(o, "WakeAt", e->state == EXECUTION_SUSPENDED ? when(e->wake_at) : js_null());
    js_set(o, "Restores", js_int(e->restores));
    js_set(o, "Locks", js_copy(e->locks));
    js_set(o, "Failures", js_int(e->failures));
    js_set(o, "RetryAt", when(e->retry_at));
    js_set(o, "FinishedAt", when(e->finished_at));
    js_set(o, "ExitCode", execution_is_over(e) ? js_int(e->exit_code) : js_null());
    js_set(o, "Output", e->output ? js_copy(e->output) : js_null());
    js_set(o, "Error", e->error ? js_string(e->error) : js_null());
    return o;
}
