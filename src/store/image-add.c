#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/blob.h"
#include "store/image-names.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/manifest.h"

/* An image on its way into the store. */
struct adding {
    const struct image_source *source;
    struct json *config;
    char **diff_ids; /* hex */
    char id[DIGEST_HEX_SIZE];
    char manifest[DIGEST_HEX_SIZE];
    char *manifest_text;
    int64_t created;
};

static void adding_clear(struct adding *a)
{
    js_unref(a->config);
    strv_free(a->diff_ids);
    free(a->manifest_text);
}

static int read_config(struct adding *a, struct error *err)
{
    const struct image_source *from = a->source;
    int r = js_parse(from->config, from->config_size, "the image config", &a->config, err);
    if (r < 0)
        return r;
    const struct json *ids = js_get(js_get(a->config, "rootfs"), "diff_ids");
    JSON_FOREACH(ids, n)
    {
        const char *hex = digest_hex_part(js_text(js_at(ids, n)));
        if (!hex)
            return error_set(err, EBADMSG, "the image config has a diff id that is no sha256");
        strv_add(&a->diff_ids, hex);
    }
    if (strv_length(a->diff_ids) != from->blob_count)
        return error_set(err, EBADMSG, "the image config names %zu layers, the manifest %zu",
                         strv_length(a->diff_ids), from->blob_count);
    const char *created = js_get_string(a->config, "created");
    if (created && time_parse(created, &a->created, NULL) < 0)
        a->created = 0;
    return 0;
}

/* The blobs are in place by now. */
static void make_manifest(struct store *s, struct adding *a)
{
    _cleanup_strv_ char **layers = NULL;
    for (size_t i = 0; i < a->source->blob_count; i++)
        strv_add(&layers, a->source->blobs[i].digest);
    a->manifest_text = manifest_make(s, a->source->docker ? MANIFEST_DOCKER : MANIFEST_OCI, a->id,
                                     layers, a->source->annotations);
}

static int place_blobs(struct store *s, struct adding *a, struct error *err)
{
    const struct image_source *from = a->source;
    for (size_t i = 0; i < from->blob_count; i++) {
        const struct image_blob *b = &from->blobs[i];
        _cleanup_free_ char *place = blob_path(s, b->digest);
        if (!b->path && !path_exists(place))
            return error_set(err, ENOENT, "layer blob sha256:%s is missing", b->digest);
        int r = b->path ? blob_take(s, b->path, b->digest, b->verified, err) : 0;
        if (r < 0)
            return r;
    }
    int r = blob_write(s, from->config, from->config_size, a->id, err);
    if (r < 0)
        return r;
    if (from->manifest)
        a->manifest_text = xstrndup(from->manifest, from->manifest_size);
    else
        make_manifest(s, a);
    return blob_write(s, a->manifest_text, strlen(a->manifest_text), a->manifest, err);
}

static int unpack_layers(struct store *s, struct adding *a, struct error *err)
{
    char parent[DIGEST_HEX_SIZE] = "";
    for (size_t i = 0; i < a->source->blob_count; i++) {
        _cleanup_free_ char *path = blob_path(s, a->source->blobs[i].digest);
        int r = layer_unpack(s, path, a->diff_ids[i], *parent ? parent : NULL, err);
        if (r < 0)
            return r;
        char chain[DIGEST_HEX_SIZE];
        layer_chain_id(*parent ? parent : NULL, a->diff_ids[i], chain);
        memcpy(parent, chain, sizeof(parent));
    }
    return 0;
}

static int insert_layers(struct store *s, const struct adding *a, struct error *err)
{
    char parent[DIGEST_HEX_SIZE] = "";
    int r = database_run(s->db, err, "DELETE FROM image_layers WHERE image_id = ?", "s", a->id);
    for (size_t i = 0; r >= 0 && i < a->source->blob_count; i++) {
        char chain[DIGEST_HEX_SIZE];
        layer_chain_id(*parent ? parent : NULL, a->diff_ids[i], chain);
        r = database_run(s->db, err,
                         "INSERT INTO image_layers (image_id, position, chain_id, blob) "
                         "VALUES (?, ?, ?, ?)",
                         "siss", a->id, (int64_t)i, chain, a->source->blobs[i].digest);
        memcpy(parent, chain, sizeof(parent));
    }
    return r;
}

static int insert(struct store *s, const struct adding *a, struct error *err)
{
    _cleanup_free_ char *digest = xasprintf("sha256:%s", a->manifest);
    _cleanup_free_ char *config = xstrndup(a->source->config, a->source->config_size);
    int64_t size = (int64_t)(a->source->config_size + strlen(a->manifest_text));
    int r = database_run(s->db, err,
                         "INSERT INTO images (id, digest, created, added, size, config, manifest) "
                         "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                         "digest = excluded.digest, manifest = excluded.manifest",
                         "ssiiiss", a->id, digest, a->created, now_ns(), size, config,
                         a->manifest_text);
    if (r >= 0)
        r = insert_layers(s, a, err);
    if (r >= 0)
        r = database_run(s->db, err,
                         "UPDATE images SET size = ? + (SELECT coalesce(sum(l.size), 0) FROM "
                         "image_layers i JOIN layers l USING (chain_id) WHERE i.image_id = ?) "
                         "WHERE id = ?",
                         "iss", size, a->id, a->id);
    return r;
}

static int record(struct store *s, const struct adding *a, struct error *err)
{
    _cleanup_transaction_ struct transaction t = {0};
    int r = transaction_begin(&t, s->db, err);
    if (r >= 0)
        r = insert(s, a, err);
    if (r >= 0 && a->source->name)
        r = image_name_set(s, a->id, a->source->name, err);
    return r < 0 ? r : transaction_commit(&t, err);
}

/* Everything is in its place and complete before the database names it. A command killed on the
 * way leaves blobs and layers nobody refers to: found again next time, or pruned. */
int image_add(struct store *s, const struct image_source *source, struct image **ret,
              struct error *err)
{
    _cleanup_(adding_clear) struct adding a = {.source = source};
    int r = read_config(&a, err);
    if (r < 0)
        return r;
    _cleanup_close_ int lock = store_lock_images(s, err);
    if (lock < 0)
        return lock;
    r = place_blobs(s, &a, err);
    if (r >= 0)
        r = unpack_layers(s, &a, err);
    if (r >= 0)
        r = record(s, &a, err);
    return r < 0 ? r : image_by_id(s, a.id, ret, err);
}
