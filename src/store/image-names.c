#include "store/image-names.h"

#include "base/alloc.h"
#include "base/strv.h"
#include "store/event.h"
#include "store/image.h"
#include "store/reference.h"

int image_name_set(struct store *s, const char *id, const char *name, struct error *err)
{
    int r = database_run(s->db, err,
                         "INSERT INTO image_names (name, image_id, seq) VALUES (?1, ?2, "
                         "(SELECT coalesce(max(seq), 0) + 1 FROM image_names)) "
                         "ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id, "
                         "seq = excluded.seq WHERE image_id <> excluded.image_id",
                         "ss", name, id);
    return r < 0 ? r : 0;
}

int image_tag(struct store *s, const char *image, const char *name, struct error *err)
{
    _cleanup_image_ struct image *i = NULL;
    _cleanup_free_ char *full = NULL;
    int r = image_lookup(s, image, &i, err);
    if (r >= 0)
        r = reference_normalize(name, &full, err);
    if (r < 0)
        return r;
    _cleanup_reference_ struct reference ref = {0};
    r = reference_parse(full, &ref, err);
    if (r >= 0 && ref.digest)
        return error_kind_set(err, ERROR_USAGE, "%s: tag by digest not supported", name);
    if (r >= 0)
        r = image_name_set(s, i->id, full, err);
    if (r >= 0)
        event_emit_image(s, "tag", i, full);
    return r;
}

/* Which of the image's names `text` means. */
static int own_name(const struct image *i, const char *text, char **ret, struct error *err)
{
    _cleanup_strv_ char **candidates = NULL;
    int r = reference_local_candidates(text, &candidates, err);
    STRV_FOREACH(name, candidates)
    {
        if (r < 0 || !strv_contains(i->names, *name))
            continue;
        *ret = xstrdup(*name);
        return 0;
    }
    return r < 0 ? r : error_kind_set(err, ERROR_NOT_FOUND, "%s: tag not known", text);
}

int image_untag(struct store *s, const char *image, char *const *names, struct error *err)
{
    _cleanup_image_ struct image *i = NULL;
    _cleanup_strv_ char **full = NULL;
    int r = image_lookup(s, image, &i, err);
    if (r >= 0 && strv_length(names) == 0)
        strv_add_all(&full, i->names);
    STRV_FOREACH(name, names)
    {
        char *own = NULL;
        if (r >= 0 && (r = own_name(i, *name, &own, err)) >= 0)
            strv_take(&full, own);
    }
    _cleanup_transaction_ struct transaction t = {0};
    if (r >= 0)
        r = transaction_begin(&t, s->db, err);
    STRV_FOREACH(name, full)
    if (r >= 0)
        r = database_run(s->db, err, "DELETE FROM image_names WHERE name = ? AND image_id = ?",
                         "ss", *name, i->id);
    if (r >= 0)
        r = transaction_commit(&t, err);
    STRV_FOREACH(name, full)
    if (r >= 0)
        event_emit_image(s, "untag", i, *name);
    return r;
}
