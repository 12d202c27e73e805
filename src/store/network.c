#include "store/network.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/strv.h"
#include "store/network-plan.h"

#define COLUMNS "name, id, created, document"

void network_free(struct network *n)
{
    if (!n)
        return;
    free(n->name);
    free(n->id);
    js_unref(n->document);
    free(n);
}

void network_list_free(struct network_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        network_free(l->items[i]);
    free(l->items);
}

static struct network *from_row(struct statement *q)
{
    struct network *n = xcalloc(1, sizeof(*n));
    const char *text = statement_text(q, 3);
    n->name = xstrdup(statement_text(q, 0));
    n->id = xstrdup(statement_text(q, 1));
    n->created = statement_int(q, 2);
    if (js_parse(text, strlen(text), "network", &n->document, NULL) < 0)
        n->document = js_object();
    return n;
}

static struct network *make_default(void)
{
    struct network *n = xcalloc(1, sizeof(*n));
    n->name = xstrdup(NETWORK_DEFAULT);
    n->id = xstrdup(NETWORK_DEFAULT_ID);
    n->document = network_plan_default();
    return n;
}

/* ---- finding ---- */

static void add(struct network_list *l, struct network *n)
{
    array_reserve(l->items, l->count, l->room);
    l->items[l->count++] = n;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct network *const *)a)->name, (*(struct network *const *)b)->name);
}

int network_list(struct store *s, struct network_list *ret, struct error *err)
{
    _cleanup_network_list_ struct network_list list = {0};
    _cleanup_statement_ struct statement *q = NULL;
    int r = database_query(s->db, &q, err, "SELECT " COLUMNS " FROM networks", NULL);
    while (r >= 0 && (r = statement_step(q, err)) > 0)
        add(&list, from_row(q));
    if (r < 0)
        return r;
    add(&list, make_default());
    qsort(list.items, list.count, sizeof(*list.items), by_name);
    *ret = list;
    list = (struct network_list){0};
    return 0;
}

static int find(struct store *s, const char *name, struct network **ret, struct error *err)
{
    _cleanup_statement_ struct statement *q = NULL;
    if (strcmp(name, NETWORK_DEFAULT) == 0 || strcmp(name, NETWORK_DEFAULT_ID) == 0) {
        *ret = make_default();
        return 1;
    }
    int r = database_query(s->db, &q, err,
                           "SELECT " COLUMNS " FROM networks WHERE name = ? OR id = ? "
                           "ORDER BY name <> ?",
                           "sss", name, name, name);
    if (r >= 0 && (r = statement_step(q, err)) > 0)
        *ret = from_row(q);
    return r;
}

static int by_prefix(struct store *s, const char *prefix, struct network **ret, struct error *err)
{
    _cleanup_strv_ char **ids = NULL;
    int r = database_strings(s->db, &ids, err,
                             "SELECT id FROM networks WHERE substr(id, 1, length(?)) = ? LIMIT 2",
                             "ss", prefix, prefix);
    if (r < 0)
        return r;
    if (*prefix && string_starts(NETWORK_DEFAULT_ID, prefix))
        strv_add(&ids, NETWORK_DEFAULT_ID);
    if (strv_length(ids) > 1 && *prefix)
        return error_kind_set(err, ERROR_CONFLICT, "more than one result for network ID %s",
                              prefix);
    if (!*prefix || !ids[0])
        return 0;
    return find(s, ids[0], ret, err);
}

int network_lookup(struct store *s, const char *name_or_id, struct network **ret, struct error *err)
{
    int r = find(s, name_or_id, ret, err);
    if (r == 0)
        r = by_prefix(s, name_or_id, ret, err);
    if (r == 0)
        return error_kind_set(err, ERROR_NOT_FOUND,
                              "unable to find network with name or ID %s: network not found",
                              name_or_id);
    return r < 0 ? r : 0;
}

/* ---- making ---- */

static int check_name(const char *name, struct error *err)
{
    static const char *const taken[] = {"none",    "host",  "bridge",      "private",
                                        "default", "pasta", "slirp4netns", "container"};
    bool good = isalnum((unsigned char)*name);
    for (const char *c = name; *c; c++)
        good &= isalnum((unsigned char)*c) || strchr("_.-", *c) != NULL;
    if (!good || strlen(name) > 255)
        return error_kind_set(err, ERROR_USAGE,
                              "network name %s invalid: names must match "
                              "[a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
                              name);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        if (strcmp(taken[i], name) == 0)
            return error_kind_set(err, ERROR_USAGE,
                                  "cannot create network with name \"%s\" because it conflicts "
                                  "with a valid network mode",
                                  name);
    return 0;
}

static int insert(struct store *s, const struct json *document, const char *name, const char *id,
                  struct error *err)
{
    _cleanup_free_ char *text = js_dump(document, 0);
    int r = database_run(s->db, err,
                         "INSERT INTO networks (name, id, created, document) VALUES (?, ?, ?, ?)",
                         "ssis", name, id, now_ns(), text);
    if (r == -EEXIST)
        return error_kind_set(err, ERROR_CONFLICT,
                              "network name %s already used: network already exists", name);
    return r < 0 ? r : 0;
}

/* What is free is looked for while nobody else can take it. */
static int create(struct store *s, const struct network_options *o, struct network **ret,
                  struct error *err)
{
    char id[ID_HEX_SIZE];
    _cleanup_transaction_ struct transaction t = {0};
    _cleanup_network_list_ struct network_list others = {0};
    _cleanup_json_ struct json *document = NULL;
    random_id(id);
    int r = transaction_begin(&t, s->db, err);
    if (r >= 0 && o->name && o->ignore_existing && (r = find(s, o->name, ret, err)) > 0)
        return 0;
    if (r >= 0 && string_equal(o->name, NETWORK_DEFAULT))
        return error_kind_set(err, ERROR_CONFLICT,
                              "network name %s already used: network already exists", o->name);
    if (r >= 0)
        r = network_list(s, &others, err);
    if (r >= 0)
        r = network_plan(o, id, &others, &document, err);
    const char *name = js_get_string(document, "name");
    if (r >= 0)
        r = insert(s, document, name, id, err);
    if (r >= 0 && ret)
        r = find(s, name, ret, err);
    return r < 0 ? r : transaction_commit(&t, err);
}

int network_create(struct store *s, const struct network_options *o, struct network **ret,
                   struct error *err)
{
    int r = o->name ? check_name(o->name, err) : 0;
    return r < 0 ? r : create(s, o, ret, err);
}

/* ---- using and removing ---- */

int network_users(struct store *s, const char *name, char ***ret, struct error *err)
{
    return database_strings(s->db, ret, err,
                            "SELECT container_id FROM container_networks JOIN containers "
                            "ON containers.id = container_id WHERE network = ? ORDER BY seq",
                            "s", name);
}

int network_attach(struct store *s, const char *name, const char *container_id, struct error *err)
{
    int r = database_run(s->db, err,
                         "INSERT OR IGNORE INTO container_networks (container_id, network) "
                         "VALUES (?, ?)",
                         "ss", container_id, name);
    return r < 0 ? r : 0;
}

static int check_users(struct store *s, const char *name, struct error *err)
{
    _cleanup_strv_ char **users = NULL;
    int r = network_users(s, name, &users, err);
    if (r < 0 || !users[0])
        return r;
    return error_kind_set(err, ERROR_IN_USE,
                          "\"%s\" has associated containers with it. Use -f to forcibly delete "
                          "containers and pods: network is being used",
                          name);
}

int network_remove(struct store *s, const char *given, struct error *err)
{
    _cleanup_network_ struct network *n = NULL;
    _cleanup_transaction_ struct transaction t = {0};
    int r = transaction_begin(&t, s->db, err);
    if (r >= 0)
        r = network_lookup(s, given, &n, err);
    if (r >= 0 && strcmp(n->name, NETWORK_DEFAULT) == 0)
        return error_kind_set(err, ERROR_USAGE, "default network %s cannot be removed", n->name);
    if (r >= 0)
        r = check_users(s, n->name, err);
    if (r >= 0)
        r = database_run(s->db, err, "DELETE FROM networks WHERE name = ?", "s", n->name);
    return r < 0 ? r : transaction_commit(&t, err);
}
