#include <errno.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/strv.h"
#include "store/blob.h"
#include "store/event.h"
#include "store/image.h"
#include "store/layer.h"

/* What `rmi` is to do with what its argument means. */
struct removal {
    struct image *image;
    char *name; /* the argument was this name; NULL: an id */
    bool only_name;
};

static void removal_clear(struct removal *m)
{
    image_release(m->image);
    free(m->name);
}

static int plan(struct store *s, const char *text, bool force, struct removal *m, struct error *err)
{
    int r = image_lookup_name(s, text, &m->image, &m->name, err);
    if (r < 0)
        return r;
    size_t names = strv_length(m->image->names);
    m->only_name = m->name && names > 1;
    if (m->name || names <= 1 || force)
        return 0;
    _cleanup_free_ char *list = strv_join(m->image->names, " ");
    return error_kind_set(err, ERROR_CONFLICT,
                          "unable to delete image \"%s\" by ID with more than one tag ([%s]): "
                          "please force removal",
                          m->image->id, list);
}

static int check_users(struct store *s, const struct image *i, struct error *err)
{
    _cleanup_strv_ char **users = NULL;
    int r = image_users(s, i->id, &users, err);
    if (r < 0 || !users[0])
        return r;
    return error_kind_set(err, ERROR_IN_USE,
                          "image used by %s: image is in use by a container: consider listing "
                          "external containers and force-removing image",
                          users[0]);
}

/* Containers are made in transactions that look the image up, so the check holds until the end. */
static int remove_row(struct store *s, const struct image *i, struct error *err)
{
    _cleanup_transaction_ struct transaction t = {0};
    int r = transaction_begin(&t, s->db, err);
    if (r >= 0)
        r = check_users(s, i, err);
    if (r >= 0)
        r = database_run(s->db, err, "DELETE FROM images WHERE id = ?", "s", i->id);
    return r < 0 ? r : transaction_commit(&t, err);
}

static int carry_out(struct store *s, const struct removal *m, char ***untagged, char **deleted,
                     struct error *err)
{
    if (m->only_name) {
        strv_add(untagged, m->name);
        int r = database_run(s->db, err, "DELETE FROM image_names WHERE name = ?", "s", m->name);
        return r < 0 ? r : 0;
    }
    int r = remove_row(s, m->image, err);
    if (r >= 0)
        r = layer_prune(s, err);
    if (r >= 0)
        r = blob_prune(s, err);
    strv_add_all(untagged, m->image->names);
    *deleted = xstrdup(m->image->id);
    return r;
}

int image_remove(struct store *s, const char *name, bool force, char ***ret_untagged,
                 char **ret_deleted, struct error *err)
{
    _cleanup_(removal_clear) struct removal m = {0};
    _cleanup_strv_ char **untagged = NULL;
    _cleanup_free_ char *deleted = NULL;
    _cleanup_close_ int lock = store_lock_images(s, err);
    int r = lock < 0 ? lock : plan(s, name, force, &m, err);
    if (r >= 0)
        r = carry_out(s, &m, &untagged, &deleted, err);
    if (r < 0)
        return r;
    STRV_FOREACH(gone, untagged)
    event_emit_image(s, "untag", m.image, *gone);
    if (deleted)
        event_emit_image(s, "remove", m.image, name);
    if (ret_untagged)
        *ret_untagged = take_ptr(untagged);
    if (ret_deleted)
        *ret_deleted = take_ptr(deleted);
    return 0;
}
