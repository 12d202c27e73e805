#include "store/image.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/strv.h"
#include "store/reference.h"

#define ID_PREFIX_MIN 3
#define COLUMNS       "id, digest, created, size, config, manifest"

void image_release(struct image *i)
{
    if (!i)
        return;
    free(i->id);
    free(i->digest);
    strv_free(i->names);
    strv_free(i->layers);
    strv_free(i->blobs);
    js_unref(i->config);
    js_unref(i->manifest);
    free(i);
}

void image_list_free(struct image_list *l)
{
    for (size_t n = 0; n < l->count; n++)
        image_release(l->items[n]);
    free(l->items);
}

static int parse(const char *text, const char *what, const char *id, struct json **ret,
                 struct error *err)
{
    int r = js_parse(text, text ? strlen(text) : 0, what, ret, err);
    return r < 0 ? error_wrap(err, "image %s", id) : 0;
}

static int fill_lists(struct store *s, struct image *i, struct error *err)
{
    int r = database_strings(s->db, &i->names, err,
                             "SELECT name FROM image_names WHERE image_id = ? ORDER BY seq", "s",
                             i->id);
    if (r >= 0)
        r = database_strings(s->db, &i->layers, err,
                             "SELECT chain_id FROM image_layers WHERE image_id = ? "
                             "ORDER BY position",
                             "s", i->id);
    if (r >= 0)
        r = database_strings(s->db, &i->blobs, err,
                             "SELECT blob FROM image_layers WHERE image_id = ? ORDER BY position",
                             "s", i->id);
    return r;
}

static int from_row(struct store *s, struct statement *q, struct image **ret, struct error *err)
{
    _cleanup_image_ struct image *i = xcalloc(1, sizeof(*i));
    i->id = xstrdup(statement_text(q, 0));
    i->digest = xstrdup(statement_text(q, 1));
    i->created = statement_int(q, 2);
    i->size = statement_int(q, 3);
    int r = parse(statement_text(q, 4), "config", i->id, &i->config, err);
    if (r >= 0)
        r = parse(statement_text(q, 5), "manifest", i->id, &i->manifest, err);
    if (r >= 0)
        r = fill_lists(s, i, err);
    if (r < 0)
        return r;
    *ret = take_ptr(i);
    return 0;
}

/* 1 found, 0 not. */
static int find_by_id(struct store *s, const char *id, struct image **ret, struct error *err)
{
    _cleanup_statement_ struct statement *q = NULL;
    int r = database_query(s->db, &q, err, "SELECT " COLUMNS " FROM images WHERE id = ?", "s", id);
    if (r >= 0)
        r = statement_step(q, err);
    if (r <= 0)
        return r;
    r = from_row(s, q, ret, err);
    return r < 0 ? r : 1;
}

static int not_known(struct error *err, const char *name)
{
    return error_kind_set(err, ERROR_NOT_FOUND, "%s: image not known", name);
}

int image_by_id(struct store *s, const char *id, struct image **ret, struct error *err)
{
    int r = find_by_id(s, id, ret, err);
    return r == 0 ? not_known(err, id) : r < 0 ? r : 0;
}

int image_by_digest(struct store *s, const char *digest, struct image **ret, struct error *err)
{
    _cleanup_free_ char *id = NULL;
    int r = database_string(s->db, &id, err, "SELECT id FROM images WHERE digest = ?", "s", digest);
    if (r < 0)
        return r;
    return id ? image_by_id(s, id, ret, err) : not_known(err, digest);
}

/* A full name as it stands, or "repository@digest" of an image that has a name in it. */
static int id_of_name(struct store *s, const char *name, char **ret, struct error *err)
{
    int r = database_string(s->db, ret, err, "SELECT image_id FROM image_names WHERE name = ?", "s",
                            name);
    const char *at = strchr(name, '@');
    if (r < 0 || *ret || !at)
        return r;
    _cleanup_free_ char *tagged = xasprintf("%.*s:", (int)(at - name), name);
    _cleanup_free_ char *digested = xasprintf("%.*s@", (int)(at - name), name);
    return database_string(s->db, ret, err,
                           "SELECT i.id FROM images i JOIN image_names n ON n.image_id = i.id "
                           "WHERE i.digest = ? AND (substr(n.name, 1, length(?)) = ? OR "
                           "substr(n.name, 1, length(?)) = ?)",
                           "sssss", at + 1, tagged, tagged, digested, digested);
}

/* Docker finds "app" also as "registry.example.com/team/app", so Podman does. */
static int id_of_suffix(struct store *s, const char *text, char **ret, char **ret_name,
                        struct error *err)
{
    _cleanup_reference_ struct reference ref = {0};
    int r = reference_parse(text, &ref, err);
    if (r < 0 || ref.domain || ref.digest)
        return r;
    _cleanup_free_ char *pattern = xasprintf("*/%s:%s", ref.path, ref.tag ? ref.tag : "latest");
    _cleanup_statement_ struct statement *q = NULL;
    r = database_query(s->db, &q, err,
                       "SELECT image_id, name FROM image_names WHERE name GLOB ? ORDER BY seq", "s",
                       pattern);
    if (r >= 0 && (r = statement_step(q, err)) > 0) {
        *ret = xstrdup(statement_text(q, 0));
        *ret_name = xstrdup(statement_text(q, 1));
    }
    return r;
}

static int find_name(struct store *s, const char *text, char **ret_id, char **ret_name,
                     struct error *err)
{
    _cleanup_strv_ char **candidates = NULL;
    int r = reference_local_candidates(text, &candidates, err);
    STRV_FOREACH(name, candidates)
    {
        if (r < 0 || *ret_id)
            break;
        r = id_of_name(s, *name, ret_id, err);
        if (r >= 0 && *ret_id)
            *ret_name = xstrdup(*name);
    }
    return r < 0 || *ret_id ? r : id_of_suffix(s, text, ret_id, ret_name, err);
}

/* GLOB with a prefix of hex digits is a search in the primary key. */
static int find_prefix(struct store *s, const char *text, char **ret_id, struct error *err)
{
    const char *hex = string_after(text, "sha256:");
    hex = hex ? hex : text;
    size_t n = strlen(hex);
    if (n < ID_PREFIX_MIN || strspn(hex, "0123456789abcdef") != n)
        return 0;
    _cleanup_free_ char *pattern = xasprintf("%s*", hex);
    _cleanup_strv_ char **ids = NULL;
    int r = database_strings(s->db, &ids, err, "SELECT id FROM images WHERE id GLOB ? LIMIT 2", "s",
                             pattern);
    if (r < 0 || !ids[0])
        return r;
    if (ids[1])
        return error_kind_set(err, ERROR_NOT_FOUND,
                              "%s: more than one image has an id that begins so", text);
    *ret_id = xstrdup(ids[0]);
    return 0;
}

int image_lookup_name(struct store *s, const char *text, struct image **ret, char **ret_name,
                      struct error *err)
{
    _cleanup_free_ char *id = NULL, *name = NULL;
    bool only_id = is_sha256_hex(text) || string_starts(text, "sha256:");
    int r = find_prefix(s, text, &id, err);
    _cleanup_free_ char *by_name = NULL;
    if (r >= 0 && !only_id) {
        struct error why = {0};
        r = find_name(s, text, &by_name, &name, &why);
        if (r < 0 && id)
            r = 0;
        else if (r < 0 && err)
            *err = why;
    }
    if (r < 0)
        return r;
    if (!by_name && !id)
        return not_known(err, text);
    r = image_by_id(s, by_name ? by_name : id, ret, err);
    if (r >= 0 && ret_name)
        *ret_name = take_ptr(name);
    return r;
}

int image_lookup(struct store *s, const char *name, struct image **ret, struct error *err)
{
    return image_lookup_name(s, name, ret, NULL, err);
}

int image_known(struct store *s, const char *name, struct error *err)
{
    _cleanup_image_ struct image *image = NULL;
    struct error why = {0};
    int r = image_lookup(s, name, &image, &why);
    if (r < 0 && why.kind == ERROR_NOT_FOUND)
        return 0;
    if (r < 0 && err)
        *err = why;
    return r < 0 ? r : 1;
}

int image_list(struct store *s, struct image_list *ret, struct error *err)
{
    _cleanup_image_list_ struct image_list list = {0};
    _cleanup_statement_ struct statement *q = NULL;
    size_t room = 0;
    int r = database_query(s->db, &q, err,
                           "SELECT " COLUMNS " FROM images ORDER BY created DESC, id", NULL);
    while (r >= 0 && (r = statement_step(q, err)) > 0) {
        array_reserve(list.items, list.count, room);
        r = from_row(s, q, &list.items[list.count], err);
        list.count += r >= 0;
    }
    if (r < 0)
        return r;
    *ret = list;
    list = (struct image_list){0};
    return 0;
}

int image_users(struct store *s, const char *id, char ***ret, struct error *err)
{
    return database_strings(s->db, ret, err,
                            "SELECT id FROM containers WHERE image_id = ? ORDER BY seq", "s", id);
}
