#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/tar.h"
#include "store/blob.h"
#include "store/save.h"

/* A docker-archive while it is written: uncompressed layers by diff id, configs by image id, and
 * at the end what belongs together. Times are zero, so the same images give the same bytes. */
struct archive {
    struct store *store;
    struct tar_writer *tar;
    char **written; /* names of members */
    const struct progress *progress;
    struct error *err;
};

static void archive_clear(struct archive *a)
{
    tar_writer_free(a->tar);
    strv_free(a->written);
}

static int start_member(struct archive *a, const char *name, uint64_t size)
{
    struct tar_entry e = {.path = (char *)name, .mode = S_IFREG | 0444, .size = size};
    strv_add(&a->written, name);
    return tar_writer_add(a->tar, &e, a->err);
}

static int write_member(struct archive *a, const char *name, const void *data, size_t size)
{
    int r = start_member(a, name, size);
    return r < 0 ? r : tar_writer_data(a->tar, data, size, a->err);
}

/* Tar wants the size first, and only decompressing tells it. */
static int content_size(const char *path, uint64_t *ret, struct error *err)
{
    _cleanup_blob_ struct blob *blob = NULL;
    size_t room = 256 << 10;
    _cleanup_free_ char *chunk = xmalloc(room);
    int r = blob_open(path, &blob, err);
    ssize_t n = r;
    for (*ret = 0; r >= 0 && (n = blob_read(blob, chunk, room, err)) > 0;)
        *ret += (uint64_t)n;
    return n < 0 ? (int)n : 0;
}

static int copy_layer(struct archive *a, const char *path, const char *name, const char *diff_id)
{
    _cleanup_blob_ struct blob *blob = NULL;
    size_t room = 256 << 10;
    _cleanup_free_ char *chunk = xmalloc(room);
    uint64_t size = 0;
    int r = content_size(path, &size, a->err);
    if (r >= 0)
        r = blob_open(path, &blob, a->err);
    if (r >= 0)
        r = start_member(a, name, size);
    ssize_t n = r;
    while (r >= 0 && (n = blob_read(blob, chunk, room, a->err)) > 0)
        r = tar_writer_data(a->tar, chunk, (uint64_t)n, a->err);
    char hex[DIGEST_HEX_SIZE];
    if (n < 0 || r < 0 || (r = blob_finish(blob, hex, a->err)) < 0)
        return n < 0 ? (int)n : r;
    if (!string_equal(hex, diff_id))
        return error_set(a->err, EBADMSG, "layer %s of the store is damaged", diff_id);
    return 0;
}

/* Returns the name of the member in *ret. */
static int write_layer(struct archive *a, const struct image *image, size_t n, char **ret)
{
    const struct json *ids = js_get(js_get(image->config, "rootfs"), "diff_ids");
    const char *diff_id = digest_hex_part(js_text(js_at(ids, n)));
    if (!diff_id)
        return error_set(a->err, EBADMSG, "image %s has no diff id for a layer", image->id);
    _cleanup_free_ char *name = xasprintf("%s.tar", diff_id);
    _cleanup_free_ char *path = blob_path(a->store, image->blobs[n]);
    progress_line(a->progress, "Copying blob sha256:%s", diff_id);
    int r = strv_contains(a->written, name) ? 0 : copy_layer(a, path, name, diff_id);
    if (r >= 0)
        *ret = take_ptr(name);
    return r;
}

static int write_config(struct archive *a, const struct image *image, const char *name)
{
    _cleanup_free_ char *path = blob_path(a->store, image->id);
    _cleanup_buf_ struct buf text = {0};
    if (strv_contains(a->written, name))
        return 0;
    progress_line(a->progress, "Copying config sha256:%s", image->id);
    int r = file_read(path, &text, a->err);
    return r < 0 ? r : write_member(a, name, text.data, text.size);
}

static int write_image(struct archive *a, const struct saved_image *saved, struct json *entries)
{
    const struct image *image = saved->image;
    _cleanup_free_ char *config = xasprintf("%s.json", image->id);
    _cleanup_strv_ char **layers = NULL;
    int r = 0;
    for (size_t n = 0; r >= 0 && image->blobs && image->blobs[n]; n++) {
        char *name = NULL;
        r = write_layer(a, image, n, &name);
        if (r >= 0)
            strv_take(&layers, name);
    }
    if (r >= 0)
        r = write_config(a, image, config);
    struct json *entry = js_object();
    js_set(entry, "Config", js_string(config));
    js_set(entry, "RepoTags", saved->names ? js_strings(saved->names) : js_null());
    js_set(entry, "Layers", js_strings(layers));
    js_push(entries, entry);
    return r;
}

static int write_all(struct archive *a, const struct saved_image *images, size_t count)
{
    _cleanup_json_ struct json *entries = js_array();
    int r = 0;
    progress_line(a->progress, "Getting image source signatures");
    for (size_t i = 0; r >= 0 && i < count; i++)
        r = write_image(a, &images[i], entries);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = js_dump(entries, 0);
    progress_line(a->progress, "Writing manifest to image destination");
    r = write_member(a, "manifest.json", text, strlen(text));
    if (r >= 0)
        r = tar_writer_end(a->tar, a->err);
    if (r >= 0)
        progress_line(a->progress, "Storing signatures");
    return r;
}

static int write_fd(void *context, const void *data, size_t size)
{
    return write_full(*(int *)context, data, size);
}

int save_docker_archive(struct store *s, const struct saved_image *images, size_t count, int fd,
                        const struct progress *p, struct error *err)
{
    _cleanup_(archive_clear) struct archive a = {.store = s, .progress = p, .err = err};
    int r = tar_writer_open(write_fd, &fd, &a.tar, err);
    return r < 0 ? r : write_all(&a, images, count);
}
