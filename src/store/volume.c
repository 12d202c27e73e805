#include "store/volume.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/event.h"

#define COLUMNS "name, created, driver, labels, options, anonymous, needs_copy_up"

void volume_free(struct volume *v)
{
    if (!v)
        return;
    free(v->name);
    free(v->mountpoint);
    free(v->driver);
    js_unref(v->labels);
    js_unref(v->options);
    free(v);
}

void volume_list_free(struct volume_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        volume_free(l->items[i]);
    free(l->items);
}

static struct json *document(struct statement *q, int column)
{
    const char *text = statement_text(q, column);
    struct json *o = NULL;
    return text && js_parse(text, strlen(text), "volume", &o, NULL) >= 0 ? o : js_object();
}

static struct volume *from_row(struct store *s, struct statement *q)
{
    struct volume *v = xcalloc(1, sizeof(*v));
    v->name = xstrdup(statement_text(q, 0));
    v->mountpoint = store_path(s, "volumes/%s/_data", v->name);
    v->created = statement_int(q, 1);
    v->driver = xstrdup(statement_text(q, 2));
    v->labels = document(q, 3);
    v->options = document(q, 4);
    v->anonymous = statement_int(q, 5);
    v->needs_copy_up = statement_int(q, 6);
    return v;
}

static int name_valid(const char *name, struct error *err)
{
    bool good = isalnum((unsigned char)*name);
    for (const char *c = name; *c; c++)
        good &= isalnum((unsigned char)*c) || strchr("_.-", *c) != NULL;
    if (!good || strlen(name) > 255)
        return error_kind_set(err, ERROR_USAGE,
                              "running volume create option: names must match "
                              "[a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument");
    return 0;
}

static int check(const struct volume_options *o, struct error *err)
{
    if (o->driver && !string_equal(o->driver, "local"))
        return error_kind_set(err, ERROR_USAGE,
                              "volume driver \"%s\" is not supported, only \"local\" is",
                              o->driver);
    JSON_FOREACH_KEY((struct json *)o->options, it)
    return error_kind_set(err, ERROR_USAGE,
                          "volume option \"%s\" is not supported: volumes are plain directories",
                          js_iter_key(it));
    return o->name ? name_valid(o->name, err) : 0;
}

static int insert(struct store *s, const struct volume_options *o, const char *name,
                  struct error *err)
{
    _cleanup_free_ char *labels = o->labels ? js_dump(o->labels, 0) : xstrdup("{}");
    _cleanup_free_ char *options = o->options ? js_dump(o->options, 0) : xstrdup("{}");
    int r = database_run(s->db, err,
                         "INSERT INTO volumes (name, created, labels, options, anonymous) "
                         "VALUES (?, ?, ?, ?, ?)",
                         "sissb", name, now_ns(), labels, options, (int)o->anonymous);
    if (r == -EEXIST)
        return error_kind_set(err, ERROR_CONFLICT,
                              "volume with name %s already exists: volume already exists", name);
    return r < 0 ? r : 0;
}

/* Content without a row is what a killed `volume rm` left: it must not come back. */
static int make_directory(struct store *s, const char *name, struct error *err)
{
    _cleanup_free_ char *dir = store_path(s, "volumes/%s", name);
    _cleanup_free_ char *data = path_join(dir, "_data");
    int r = path_exists(dir) ? remove_tree(dir, err) : 0;
    if (r >= 0)
        r = mkdir_parents(dir, 0700, err);
    if (r >= 0 && (mkdir(data, 0755) < 0 || chmod(data, 0755) < 0))
        r = error_errno(err, errno, "cannot create %s", data);
    return r;
}

static int find(struct store *s, const char *name, struct volume **ret, struct error *err)
{
    _cleanup_statement_ struct statement *q = NULL;
    int r =
        database_query(s->db, &q, err, "SELECT " COLUMNS " FROM volumes WHERE name = ?", "s", name);
    if (r >= 0 && (r = statement_step(q, err)) > 0)
        *ret = from_row(s, q);
    return r;
}

/* The directory is made while the row is written: whoever sees the row finds it. */
static int create(struct store *s, const struct volume_options *o, const char *name,
                  struct volume **ret, struct error *err)
{
    _cleanup_transaction_ struct transaction t = {0};
    int r = transaction_begin(&t, s->db, err);
    if (r >= 0 && o->ignore_existing && (r = find(s, name, ret, err)) > 0)
        return 0;
    if (r >= 0)
        r = insert(s, o, name, err);
    if (r >= 0)
        r = make_directory(s, name, err);
    if (r >= 0)
        r = find(s, name, ret, err);
    if (r >= 0)
        r = transaction_commit(&t, err);
    if (r >= 0)
        event_emit(s, &(struct event){.type = "volume", .status = "create", .name = name});
    return r < 0 ? r : 0;
}

int volume_create(struct store *s, const struct volume_options *o, struct volume **ret,
                  struct error *err)
{
    char random[ID_HEX_SIZE];
    random_id(random);
    _cleanup_volume_ struct volume *v = NULL;
    int r = check(o, err);
    if (r >= 0)
        r = create(s, o, o->name ? o->name : random, &v, err);
    if (r >= 0 && ret)
        *ret = take_ptr(v);
    return r;
}

static int not_found(const char *name, struct error *err)
{
    return error_kind_set(err, ERROR_NOT_FOUND, "no volume with name \"%s\" found: no such volume",
                          name);
}

static int by_prefix(struct store *s, const char *prefix, char **ret, struct error *err)
{
    _cleanup_strv_ char **names = NULL;
    int r = database_strings(s->db, &names, err,
                             "SELECT name FROM volumes WHERE substr(name, 1, length(?)) = ? "
                             "LIMIT 2",
                             "ss", prefix, prefix);
    if (r < 0 || !*prefix || !names[0])
        return r < 0 ? r : not_found(prefix, err);
    if (names[1])
        return error_kind_set(err, ERROR_CONFLICT,
                              "more than one result for volume name \"%s\": volume already exists",
                              prefix);
    *ret = xstrdup(names[0]);
    return 0;
}

int volume_lookup(struct store *s, const char *name, struct volume **ret, struct error *err)
{
    int r = find(s, name, ret, err);
    if (r != 0)
        return r < 0 ? r : 0;
    _cleanup_free_ char *full = NULL;
    r = by_prefix(s, name, &full, err);
    if (r >= 0 && (r = find(s, full, ret, err)) == 0)
        r = not_found(name, err);
    return r < 0 ? r : 0;
}

int volume_exists(struct store *s, const char *name, struct error *err)
{
    int64_t known = 0;
    int r =
        database_number(s->db, 0, &known, err, "SELECT 1 FROM volumes WHERE name = ?", "s", name);
    return r < 0 ? r : (int)known;
}

int volume_list(struct store *s, struct volume_list *ret, struct error *err)
{
    _cleanup_volume_list_ struct volume_list list = {0};
    _cleanup_statement_ struct statement *q = NULL;
    size_t room = 0;
    int r = database_query(s->db, &q, err, "SELECT " COLUMNS " FROM volumes ORDER BY name", NULL);
    while (r >= 0 && (r = statement_step(q, err)) > 0) {
        array_reserve(list.items, list.count, room);
        list.items[list.count++] = from_row(s, q);
    }
    if (r < 0)
        return r;
    *ret = list;
    list = (struct volume_list){0};
    return 0;
}

int volume_users(struct store *s, const char *name, char ***ret, struct error *err)
{
    return database_strings(s->db, ret, err,
                            "SELECT container_id FROM container_volumes JOIN containers "
                            "ON containers.id = container_id WHERE volume = ? ORDER BY seq",
                            "s", name);
}

static int check_users(struct store *s, const char *name, struct error *err)
{
    _cleanup_strv_ char **users = NULL;
    int r = volume_users(s, name, &users, err);
    if (r < 0 || !users[0])
        return r;
    _cleanup_free_ char *list = strv_join(users, ", ");
    return error_kind_set(err, ERROR_IN_USE,
                          "volume %s is being used by the following container(s): %s: volume is "
                          "being used",
                          name, list);
}

static int remove_row(struct store *s, const char *given, char **ret_name, struct error *err)
{
    _cleanup_volume_ struct volume *v = NULL;
    _cleanup_transaction_ struct transaction t = {0};
    int r = transaction_begin(&t, s->db, err);
    if (r >= 0)
        r = volume_lookup(s, given, &v, err);
    if (r >= 0)
        r = check_users(s, v->name, err);
    if (r >= 0)
        r = database_run(s->db, err, "DELETE FROM volumes WHERE name = ?", "s", v->name);
    if (r >= 0)
        r = transaction_commit(&t, err);
    if (r >= 0)
        *ret_name = xstrdup(v->name);
    return r;
}

/* The row is gone. Somebody may have made a new volume of that name meanwhile: makers work inside
 * a transaction, so here it is either complete or not begun. */
static int remove_directory(struct store *s, const char *name, struct error *err)
{
    _cleanup_temp_dir_ char *tmp = NULL;
    _cleanup_transaction_ struct transaction t = {0};
    int r = store_temp_dir(s, "volume", &tmp, err);
    if (r >= 0)
        r = transaction_begin(&t, s->db, err);
    if (r >= 0)
        r = volume_exists(s, name, err);
    if (r != 0)
        return r < 0 ? r : 0;
    _cleanup_free_ char *dir = store_path(s, "volumes/%s", name);
    if (rename(dir, tmp) < 0 && errno != ENOENT)
        return error_errno(err, errno, "cannot remove %s", dir);
    return 0;
}

int volume_remove(struct store *s, const char *name, struct error *err)
{
    _cleanup_free_ char *full = NULL;
    int r = remove_row(s, name, &full, err);
    if (r < 0)
        return r;
    event_emit(s, &(struct event){.type = "volume", .status = "remove", .name = full});
    return remove_directory(s, full, err);
}

int volume_attach(struct store *s, const char *name, const char *container_id, struct error *err)
{
    int r = database_run(s->db, err,
                         "INSERT OR IGNORE INTO container_volumes (container_id, volume) "
                         "VALUES (?, ?)",
                         "ss", container_id, name);
    return r < 0 ? r : 0;
}

int volume_anonymous_of(struct store *s, const char *container_id, char ***ret, struct error *err)
{
    return database_strings(s->db, ret, err,
                            "SELECT v.name FROM volumes v JOIN container_volumes c "
                            "ON c.volume = v.name WHERE c.container_id = ? AND v.anonymous AND "
                            "NOT EXISTS (SELECT 1 FROM container_volumes o WHERE o.volume = v.name "
                            "AND o.container_id <> c.container_id) ORDER BY v.name",
                            "s", container_id);
}

int volume_copied_up(struct store *s, const char *name, struct error *err)
{
    int r =
        database_run(s->db, err, "UPDATE volumes SET needs_copy_up = 0 WHERE name = ?", "s", name);
    return r < 0 ? r : 0;
}
