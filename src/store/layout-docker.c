#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/image-names.h"
#include "store/layout.h"

/* The files of one image of the archive. */
struct parts {
    char **files;   /* layers */
    char **digests; /* of them, hex */
    struct buf config;
};

static void parts_clear(struct parts *p)
{
    strv_free(p->files);
    strv_free(p->digests);
    buf_free(&p->config);
}

static int add_layer(const char *dir, const char *name, const char *tmp,
                     const struct layout_options *o, struct parts *p, struct error *err)
{
    _cleanup_free_ char *file = NULL, *own = NULL;
    char hex[DIGEST_HEX_SIZE];
    int r = layout_find_file(dir, name, &file, err);
    if (r >= 0)
        r = layout_own_file(file, tmp, o, &own, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(own, O_RDONLY | O_CLOEXEC);
    int64_t n =
        fd < 0 ? error_errno(err, errno, "cannot open %s", own) : digest_of_fd(fd, own, hex, err);
    if (n < 0)
        return (int)n;
    strv_take(&p->files, take_ptr(own));
    strv_add(&p->digests, hex);
    return 0;
}

static int read_parts(const char *dir, const struct json *entry, const char *tmp,
                      const struct layout_options *o, struct parts *p, struct error *err)
{
    int r = layout_read_file(dir, js_get_string(entry, "Config"), &p->config, err);
    const struct json *layers = js_get(entry, "Layers");
    JSON_FOREACH(layers, i)
    if (r >= 0)
        r = add_layer(dir, js_text(js_at(layers, i)), tmp, o, p, err);
    return r;
}

static int add_parts(struct store *s, const struct parts *p, const char *name,
                     const struct layout_options *o, struct image_list *ret, struct error *err)
{
    size_t count = strv_length(p->files);
    _cleanup_free_ struct image_blob *blobs = xcalloc(count + 1, sizeof(*blobs));
    for (size_t i = 0; i < count; i++)
        blobs[i] =
            (struct image_blob){.path = p->files[i], .digest = p->digests[i], .verified = true};
    struct image_source source = {
        .config = p->config.data,
        .config_size = p->config.size,
        .blobs = blobs,
        .blob_count = count,
        .name = name,
    };
    return layout_add(s, &source, o, ret, err);
}

/* Further names are tags of the image the first one made. */
static int add_names(struct store *s, const struct json *names, const struct layout_options *o,
                     struct image_list *list, struct error *err)
{
    struct image *last = list->items[list->count - 1];
    int r = 0;
    for (size_t i = 1; r >= 0 && i < js_count(names); i++) {
        _cleanup_free_ char *name = NULL;
        r = layout_name(o, js_text(js_at(names, i)), &name, err);
        if (r >= 0 && name)
            r = image_name_set(s, last->id, name, err);
    }
    return r;
}

static int take_entry(struct store *s, const char *dir, const struct json *entry,
                      const struct layout_options *o, struct image_list *ret, struct error *err)
{
    _cleanup_temp_dir_ char *tmp = NULL;
    _cleanup_(parts_clear) struct parts parts = {0};
    _cleanup_free_ char *name = NULL;
    const struct json *names = js_get(entry, "RepoTags");
    int r = layout_name(o, js_text(js_at(names, 0)), &name, err);
    if (r >= 0)
        r = store_temp_dir(s, "docker", &tmp, err);
    if (r >= 0)
        r = read_parts(dir, entry, tmp, o, &parts, err);
    if (r >= 0)
        r = add_parts(s, &parts, name, o, ret, err);
    return r < 0 ? r : add_names(s, names, o, ret, err);
}

static bool is_wanted(const struct json *entry, const struct layout_options *o)
{
    const struct json *names = js_get(entry, "RepoTags");
    JSON_FOREACH(names, i)
    if (string_equal(js_text(js_at(names, i)), o->ref))
        return true;
    return !o->ref;
}

int layout_take_docker(struct store *s, const char *dir, const struct layout_options *o,
                       struct image_list *ret, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_ struct json *entries = NULL;
    int r = layout_read_file(dir, "manifest.json", &text, err);
    if (r >= 0)
        r = js_parse(text.data, text.size, "manifest.json", &entries, err);
    size_t before = ret->count;
    JSON_FOREACH(entries, i)
    if (r >= 0 && is_wanted(js_at(entries, i), o))
        r = take_entry(s, dir, js_at(entries, i), o, ret, err);
    if (r >= 0 && ret->count == before)
        return error_set(err, ENOENT, "no image %s found in the docker archive",
                         o->ref ? o->ref : "");
    return r;
}
