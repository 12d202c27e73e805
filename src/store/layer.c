#include "store/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/userns.h"
#include "format/tar.h"
#include "format/unpack.h"
#include "store/blob.h"

void layer_chain_id(const char *parent, const char *diff_id, char chain[static DIGEST_HEX_SIZE])
{
    if (!parent) {
        snprintf(chain, DIGEST_HEX_SIZE, "%s", diff_id);
        return;
    }
    _cleanup_free_ char *text = xasprintf("sha256:%s sha256:%s", parent, diff_id);
    digest_of(text, strlen(text), chain);
}

char *layer_path(const struct store *s, const char *chain)
{
    return store_path(s, "layers/%s/diff", chain);
}

bool layer_exists(const struct store *s, const char *chain)
{
    int64_t known = 0;
    _cleanup_free_ char *path = layer_path(s, chain);
    int r = database_number(s->db, 0, &known, NULL, "SELECT 1 FROM layers WHERE chain_id = ?", "s",
                            chain);
    return r >= 0 && known && path_exists(path);
}

static ssize_t read_blob(void *context, void *data, size_t size)
{
    return blob_read(context, data, size, NULL);
}

static int unpack_content(struct store *s, const char *blob_path, const char *diff_id, int dirfd,
                          struct unpack_result *result, struct error *err)
{
    _cleanup_blob_ struct blob *blob = NULL;
    _cleanup_(tar_reader_freep) struct tar_reader *tar = NULL;
    struct unpack_options options = {.flags = UNPACK_WHITEOUTS};
    if (s->rootless)
        options.flags |= UNPACK_USER_OVERLAY | UNPACK_SKIP_DEVICES;
    if (s->rootless && !userns_has_many_ids()) /* there is only one owner to give */
        options.flags |= UNPACK_NO_OWNER;
    char hex[DIGEST_HEX_SIZE];
    int r = blob_open(blob_path, &blob, err);
    if (r >= 0)
        r = tar_reader_open(read_blob, blob, blob_path, &tar, err);
    if (r >= 0)
        r = unpack_tar(tar, dirfd, &options, result, err);
    if (r >= 0)
        r = blob_finish(blob, hex, err);
    if (r < 0)
        return r;
    if (!string_equal(hex, diff_id))
        return error_set(err, EBADMSG, "layer %s is damaged: its content has the digest %s",
                         diff_id, hex);
    return 0;
}

/* What stands there was left by a command that was killed before it could note it in the
 * database; nobody can use it, the image lock is ours. */
static int move_in_place(struct store *s, const char *aside, const char *chain, struct error *err)
{
    _cleanup_free_ char *layers = store_path(s, "layers");
    _cleanup_free_ char *place = path_join(layers, chain);
    int r = mkdir_parents(layers, 0700, err);
    if (r >= 0)
        r = remove_tree(place, err);
    if (r >= 0 && rename(aside, place) < 0)
        r = error_errno(err, errno, "cannot rename %s to %s", aside, place);
    return r;
}

int layer_unpack(struct store *s, const char *blob_path, const char *diff_id, const char *parent,
                 struct error *err)
{
    char chain[DIGEST_HEX_SIZE];
    layer_chain_id(parent, diff_id, chain);
    if (layer_exists(s, chain))
        return 0;
    _cleanup_temp_dir_ char *aside = NULL;
    int r = store_temp_dir(s, "layer", &aside, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *diff = path_join(aside, "diff");
    _cleanup_close_ int dirfd = mkdir(diff, 0755) < 0 || chmod(diff, 0755) < 0
                                    ? -1
                                    : open(diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return error_errno(err, errno, "cannot create %s", diff);
    struct unpack_result result = {0};
    r = unpack_content(s, blob_path, diff_id, dirfd, &result, err);
    if (r >= 0 && syncfs(dirfd) < 0)
        r = error_errno(err, errno, "cannot write layer %s", chain);
    if (r >= 0)
        r = move_in_place(s, aside, chain, err);
    if (r < 0)
        return r;
    r = database_run(s->db, err,
                     "INSERT INTO layers (chain_id, diff_id, parent, size) VALUES (?, ?, ?, ?) "
                     "ON CONFLICT (chain_id) DO UPDATE SET size = excluded.size",
                     "sssi", chain, diff_id, parent, (int64_t)result.size);
    return r < 0 ? r : 0;
}

/* The row goes first: without it the directory is nobody's. */
static int remove_unused(struct store *s, const char *chain, struct error *err)
{
    int r = database_run(s->db, err,
                         "DELETE FROM layers WHERE chain_id = ? AND NOT EXISTS "
                         "(SELECT 1 FROM image_layers l WHERE l.chain_id = layers.chain_id)",
                         "s", chain);
    int64_t known = 0;
    if (r >= 0)
        r = database_number(s->db, 0, &known, err, "SELECT 1 FROM layers WHERE chain_id = ?", "s",
                            chain);
    if (r < 0 || known)
        return r;
    _cleanup_free_ char *place = store_path(s, "layers/%s", chain);
    return remove_tree(place, err);
}

int layer_prune(struct store *s, struct error *err)
{
    _cleanup_free_ char *layers = store_path(s, "layers");
    _cleanup_closedir_ DIR *dir = opendir(layers);
    int r = 0;
    for (struct dirent *e; dir && r >= 0 && (e = readdir(dir));)
        if (is_sha256_hex(e->d_name))
            r = remove_unused(s, e->d_name, err);
    return r < 0 ? r : 0;
}
