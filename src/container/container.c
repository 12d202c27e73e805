#include "container/container.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "container/revive.h"
#include "store/database.h"
#include "store/store.h"

#define COLUMNS                                                                                    \
    "id, name, created, config, extra, started_at, finished_at, exit_code, checkpointed_at, "      \
    "restored_at, checkpointed, restored"

static void facts_clear(struct container_facts *f)
{
    free(f->checkpoint_path);
    free(f->checkpoint_log);
    free(f->restore_log);
    *f = (struct container_facts){0};
}

void container_free(struct container *c)
{
    if (c->lock_fd >= 0)
        close(c->lock_fd);
    free(c->id);
    free(c->name);
    js_unref(c->config);
    js_unref(c->spec);
    facts_clear(&c->facts);
    free(c->directory);
    free(c->run_directory);
    port_sockets_close(&c->port_sockets);
    free(c);
}

void container_list_add(struct container_list *list, struct container *c)
{
    array_reserve(list->items, list->count, list->room);
    list->items[list->count++] = c;
}

void container_list_free(struct container_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i])
            container_free(list->items[i]);
    free(list->items);
    *list = (struct container_list){0};
}

/* --- the row ------------------------------------------------------------------------------- */

static void facts_read(struct container_facts *f, struct statement *q)
{
    facts_clear(f);
    f->started_at = statement_int(q, 5);
    f->finished_at = statement_int(q, 6);
    f->exit_code = (int)statement_int(q, 7);
    f->checkpointed_at = statement_int(q, 8);
    f->restored_at = statement_int(q, 9);
    f->checkpointed = statement_int(q, 10);
    f->restored = statement_int(q, 11);
    _cleanup_json_ struct json *extra = NULL;
    const char *text = statement_text(q, 4);
    if (!text || js_parse(text, strlen(text), "container row", &extra, NULL) < 0)
        return;
    f->oom_killed = js_get_bool(extra, "oomKilled", false);
    f->pid = (int)js_get_int(extra, "pid", 0);
    f->conmon_pid = (int)js_get_int(extra, "conmonPid", 0);
    f->checkpoint_path = xstrdup_null(js_get_string(extra, "checkpointPath"));
    f->checkpoint_log = xstrdup_null(js_get_string(extra, "checkpointLog"));
    f->restore_log = xstrdup_null(js_get_string(extra, "restoreLog"));
}

static char *extra_text(const struct container_facts *f)
{
    _cleanup_json_ struct json *o = js_object();
    if (f->oom_killed)
        js_set(o, "oomKilled", js_bool(true));
    if (f->pid)
        js_set(o, "pid", js_int(f->pid));
    if (f->conmon_pid)
        js_set(o, "conmonPid", js_int(f->conmon_pid));
    if (f->checkpoint_path)
        js_set(o, "checkpointPath", js_string(f->checkpoint_path));
    if (f->checkpoint_log)
        js_set(o, "checkpointLog", js_string(f->checkpoint_log));
    if (f->restore_log)
        js_set(o, "restoreLog", js_string(f->restore_log));
    return js_dump(o, 0);
}

static struct container *from_names(struct firn *firn, const char *id, const char *name)
{
    struct container *c = xcalloc(1, sizeof(*c));
    c->firn = firn;
    c->lock_fd = -1;
    c->id = xstrdup(id);
    c->name = xstrdup(name);
    c->directory = store_container_dir(firn->store, id);
    c->run_directory = store_container_run_dir(firn->store, id);
    return c;
}

static int from_row(struct firn *firn, struct statement *q, struct container **ret,
                    struct error *err)
{
    _cleanup_container_ struct container *c =
        from_names(firn, statement_text(q, 0), statement_text(q, 1));
    c->created_at = statement_int(q, 2);
    const char *config = statement_text(q, 3);
    int r = js_parse(config, strlen(config), "container config", &c->config, err);
    if (r < 0)
        return error_wrap(err, "container %s in the database", c->id);
    facts_read(&c->facts, q);
    *ret = take_ptr(c);
    return 0;
}

struct container *container_new(struct firn *firn, struct json *config)
{
    struct container *c =
        from_names(firn, js_get_string(config, "id"), js_get_string(config, "name"));
    if (time_parse(js_get_string(config, "createdTime"), &c->created_at, NULL) < 0)
        c->created_at = now_ns();
    c->config = config;
    return c;
}

/* --- finding ------------------------------------------------------------------------------- */

/* Exactly one or nothing: 1 or 0. */
static int find_one(struct firn *firn, const char *where, const char *argument,
                    struct container **ret, struct error *err)
{
    _cleanup_free_ char *sql = xasprintf("SELECT " COLUMNS " FROM containers %s", where);
    _cleanup_statement_ struct statement *q = NULL;
    int r = argument ? database_query(firn->store->db, &q, err, sql, "s", argument)
                     : database_query(firn->store->db, &q, err, sql, NULL);
    if (r < 0)
        return r;
    r = statement_step(q, err);
    if (r <= 0)
        return r;
    _cleanup_container_ struct container *c = NULL;
    r = from_row(firn, q, &c, err);
    if (r < 0)
        return r;
    r = statement_step(q, err);
    if (r < 0)
        return r;
    if (r > 0)
        return error_kind_set(err, ERROR_CONFLICT,
                              "more than one result for container ID %s: container already exists",
                              argument);
    *ret = take_ptr(c);
    return 1;
}

int container_lookup(struct firn *firn, const char *name_or_id, struct container **ret,
                     struct error *err)
{
    if (!*name_or_id)
        return error_kind_set(err, ERROR_USAGE, "input IDs must not be empty: invalid argument");
    int r = find_one(firn, "WHERE name = ?", name_or_id, ret, err);
    if (r == 0)
        r = find_one(firn, "WHERE id = ?", name_or_id, ret, err);
    if (r == 0 && strspn(name_or_id, "0123456789abcdef") == strlen(name_or_id)) {
        _cleanup_free_ char *pattern = xasprintf("%s*", name_or_id);
        r = find_one(firn, "WHERE id GLOB ?", pattern, ret, err);
        if (r == -EEXIST)
            r = error_kind_set(err, ERROR_CONFLICT,
                               "more than one result for container ID %s: container already exists",
                               name_or_id);
    }
    if (r == 0)
        return error_kind_set(err, ERROR_NOT_FOUND,
                              "no container with name or ID \"%s\" found: no such container",
                              name_or_id);
    return r < 0 ? r : 0;
}

int container_lookup_latest(struct firn *firn, struct container **ret, struct error *err)
{
    int r = find_one(firn, "ORDER BY seq DESC LIMIT 1", NULL, ret, err);
    if (r == 0)
        return error_kind_set(err, ERROR_NOT_FOUND, "no such container");
    return r < 0 ? r : 0;
}

int container_list_all(struct firn *firn, struct container_list *ret, struct error *err)
{
    _cleanup_statement_ struct statement *q = NULL;
    int r = database_query(firn->store->db, &q, err,
                           "SELECT " COLUMNS " FROM containers ORDER BY seq", NULL);
    _cleanup_container_list_ struct container_list list = {0};
    while (r >= 0 && (r = statement_step(q, err)) > 0) {
        struct container *c = NULL;
        r = from_row(firn, q, &c, err);
        if (r == 0)
            container_list_add(&list, c);
    }
    if (r < 0)
        return r;
    *ret = list;
    list = (struct container_list){0};
    return 0;
}

static int selection_check(const struct container_selection *s, struct error *err)
{
    bool named = s->names && *s->names;
    if (s->all && s->latest)
        return error_kind_set(err, ERROR_USAGE, "--all and --latest cannot be used together");
    if (s->all && named)
        return error_kind_set(err, ERROR_USAGE, "no arguments are needed with --all");
    if (s->latest && named)
        return error_kind_set(err, ERROR_USAGE, "--latest and containers cannot be used together");
    if (!s->all && !s->latest && !named && !s->filters)
        return error_kind_set(err, ERROR_USAGE, "you must provide at least one name or id");
    return 0;
}

int container_select(struct firn *firn, const struct container_selection *selection,
                     struct container_list *ret, struct error *err)
{
    int r = selection_check(selection, err);
    if (r < 0)
        return r;
    if (selection->all || (selection->filters && !selection->latest && !selection->names))
        return container_list_filtered(firn, selection->filters, ret, err);
    _cleanup_container_list_ struct container_list list = {0};
    struct container *c = NULL;
    if (selection->latest) {
        r = container_lookup_latest(firn, &c, err);
        if (r < 0)
            return r;
        container_list_add(&list, c);
    }
    STRV_FOREACH(name, selection->names)
    {
        r = container_lookup(firn, *name, &c, err);
        if (r < 0)
            return r;
        container_list_add(&list, c);
    }
    *ret = list;
    list = (struct container_list){0};
    return 0;
}

/* --- storing ------------------------------------------------------------------------------- */

static int conflict(struct container *c, struct error *err)
{
    _cleanup_free_ char *owner = NULL;
    int r = database_string(c->firn->store->db, &owner, err,
                            "SELECT id FROM containers WHERE name = ?", "s", c->name);
    if (r < 0)
        return r;
    if (!owner || strcmp(owner, c->id) == 0)
        return error_kind_set(err, ERROR_CONFLICT,
                              "creating container storage: that ID is already in use");
    return error_kind_set(
        err, ERROR_CONFLICT,
        "creating container storage: the container name \"%s\" is already in use by %s. You have "
        "to remove that container to be able to reuse that name: that name is already in use",
        c->name, owner);
}

int container_insert(struct container *c, struct error *err)
{
    _cleanup_free_ char *config = js_dump(c->config, 0);
    _cleanup_free_ char *extra = extra_text(&c->facts);
    int r = database_run(c->firn->store->db, err,
                         "INSERT INTO containers (id, name, created, image_id, config, extra, "
                         "auto_remove) VALUES (?, ?, ?, ?, ?, ?, ?)",
                         "ssisssb", c->id, c->name, c->created_at, container_image_id(c), config,
                         extra, (int)container_auto_removes(c));
    return r == -EEXIST ? conflict(c, err) : r < 0 ? r : 0;
}

int container_save_facts(struct container *c, struct error *err)
{
    const struct container_facts *f = &c->facts;
    _cleanup_free_ char *extra = extra_text(f);
    int r = database_run(c->firn->store->db, err,
                         "UPDATE containers SET extra = ?, started_at = ?, finished_at = ?, "
                         "exit_code = ?, checkpointed_at = ?, restored_at = ?, checkpointed = ?, "
                         "restored = ? WHERE id = ?",
                         "siiiiibbs", extra, f->started_at, f->finished_at, (int64_t)f->exit_code,
                         f->checkpointed_at, f->restored_at, (int)f->checkpointed, (int)f->restored,
                         c->id);
    return r < 0 ? r : 0;
}

int container_save_config(struct container *c, struct error *err)
{
    _cleanup_free_ char *config = js_dump(c->config, 0);
    int r = database_run(c->firn->store->db, err, "UPDATE containers SET config = ? WHERE id = ?",
                         "ss", config, c->id);
    return r < 0 ? r : 0;
}

int container_delete_record(struct container *c, struct error *err)
{
    int r =
        database_run(c->firn->store->db, err, "DELETE FROM containers WHERE id = ?", "s", c->id);
    return r < 0 ? r : 0;
}

/* --- lock ---------------------------------------------------------------------------------- */

int container_refresh(struct container *c, struct error *err)
{
    _cleanup_statement_ struct statement *q = NULL;
    int r = database_query(c->firn->store->db, &q, err,
                           "SELECT " COLUMNS " FROM containers WHERE id = ?", "s", c->id);
    if (r < 0)
        return r;
    r = statement_step(q, err);
    if (r == 0)
        return error_kind_set(err, ERROR_NOT_FOUND,
                              "no container with ID %s found in database: no such container",
                              c->id);
    if (r < 0)
        return r;
    facts_read(&c->facts, q);
    return 0;
}

int container_lock(struct container *c, struct error *err)
{
    if (c->lock_depth++)
        return 0;
    c->lock_fd = store_lock_container(c->firn->store, c->id, true, err);
    int r = c->lock_fd < 0 ? c->lock_fd : container_refresh(c, err);
    if (r == 0 && (r = revive_recover(c, err)) > 0)
        r = error_kind_set(
            err, ERROR_NOT_FOUND,
            "container %s was being imported when firn was killed; it is removed: no "
            "such container",
            c->name);
    /* Removed while we waited: the lock file we made again goes too. */
    if (r == -ENOENT)
        store_forget_lock(c->firn->store, c->id);
    if (r < 0)
        container_unlock(c);
    return r;
}

void container_unlock(struct container *c)
{
    if (--c->lock_depth)
        return;
    if (c->lock_fd >= 0)
        close(take_fd(c->lock_fd));
}

/* --- reading the config -------------------------------------------------------------------- */

bool container_has_tty(const struct container *c)
{
    return js_bool_value(js_path(c->config, "spec", "process", "terminal", NULL));
}

bool container_has_stdin(const struct container *c)
{
    return js_get_bool(c->config, "stdin", false);
}

bool container_auto_removes(const struct container *c)
{
    const char *v = js_text(
        js_path(c->config, "spec", "annotations", "io.podman.annotations.autoremove", NULL));
    return string_equal(v, "TRUE");
}

const char *container_image_name(const struct container *c)
{
    const char *name = js_get_string(c->config, "rootfsImageName");
    return name ? name : "";
}

const char *container_image_id(const struct container *c)
{
    return js_get_string(c->config, "rootfsImageID");
}

const char *container_hostname(const struct container *c)
{
    const char *name = js_text(js_path(c->config, "spec", "hostname", NULL));
    return name ? name : "";
}

const char *container_log_driver(const struct container *c)
{
    const char *driver = js_get_string(c->config, "logDriver");
    return driver ? driver : "k8s-file";
}

char *container_log_path(const struct container *c)
{
    if (strcmp(container_log_driver(c), "none") == 0)
        return NULL;
    const char *path = js_get_string(c->config, "logPath");
    return path && *path ? xstrdup(path) : container_path(c, "ctr.log");
}

char **container_command(const struct container *c)
{
    return js_get_strings(js_path(c->config, "spec", "process", NULL), "args");
}

struct json *container_labels(const struct container *c)
{
    return js_get(c->config, "labels");
}

int container_stop_signal(const struct container *c)
{
    return (int)js_get_int(c->config, "stopSignal", 15);
}

unsigned container_stop_timeout(const struct container *c)
{
    return (unsigned)js_get_int(c->config, "stopTimeout", 10);
}

char *container_path(const struct container *c, const char *name)
{
    return path_join(c->directory, name);
}

char *container_run_path(const struct container *c, const char *name)
{
    return path_join(c->run_directory, name);
}
