#include "store/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/blob.h"
#include "store/manifest.h"
#include "store/reference.h"

#define TEXT_MAX (4 << 20)

static const char dir_version[] = "Directory Transport Version: 1.1\n";

static bool has(const char *dir, const char *name)
{
    _cleanup_free_ char *path = path_join(dir, name);
    return path_exists(path);
}

/* The manifest.json of docker-archive is a list, that of dir an object. */
enum layout layout_detect(const char *dir)
{
    if (has(dir, "oci-layout") || has(dir, "index.json"))
        return LAYOUT_OCI;
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_ struct json *manifest = NULL;
    if (layout_read_file(dir, "manifest.json", &text, NULL) < 0 ||
        js_parse(text.data, text.size, "manifest.json", &manifest, NULL) < 0)
        return LAYOUT_NONE;
    return js_is_array(manifest) ? LAYOUT_DOCKER : LAYOUT_DIR;
}

int layout_find_file(const char *dir, const char *name, char **ret, struct error *err)
{
    _cleanup_close_ int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, errno, "cannot open %s", dir);
    _cleanup_close_ int fd = name ? open_in_root(root, name, O_RDONLY | O_NONBLOCK, 0) : -EINVAL;
    if (fd < 0)
        return error_errno(err, -fd, "cannot open \"%s\" of the image", name ? name : "");
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, EBADMSG, "\"%s\" of the image is no regular file", name);
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof(target) - 1);
    if (n < 0)
        return error_errno(err, errno, "cannot open \"%s\" of the image", name);
    *ret = xstrndup(target, (size_t)n);
    return 0;
}

int layout_read_file(const char *dir, const char *name, struct buf *b, struct error *err)
{
    _cleanup_free_ char *path = NULL;
    int r = layout_find_file(dir, name, &path, err);
    return r < 0 ? r : file_read_at(AT_FDCWD, path, TEXT_MAX, b, err);
}

static int copy_content(int from, int to)
{
    for (;;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
    }
}

int layout_copy_file(const char *from_path, const char *to_path, struct error *err)
{
    _cleanup_close_ int from = open(from_path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return error_errno(err, errno, "cannot open %s", from_path);
    _cleanup_close_ int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (to < 0)
        return error_errno(err, errno, "cannot create %s", to_path);
    int r = copy_content(from, to);
    return r < 0 ? error_errno(err, -r, "cannot copy %s to %s", from_path, to_path) : 0;
}

int layout_own_file(const char *file, const char *tmp, const struct layout_options *o, char **ret,
                    struct error *err)
{
    if (o->ours) {
        *ret = xstrdup(file);
        return 0;
    }
    _cleanup_free_ char *copy = NULL;
    unsigned n = 0;
    do {
        free(copy);
        copy = xasprintf("%s/%u", tmp, n++);
    } while (path_exists(copy));
    int r = layout_copy_file(file, copy, err);
    if (r >= 0)
        *ret = take_ptr(copy);
    return r;
}

int layout_name(const struct layout_options *o, const char *name, char **ret, struct error *err)
{
    *ret = NULL;
    if (o->nameless || (!o->name && !name))
        return 0;
    return reference_normalize(o->name ? o->name : name, ret, err);
}

int layout_add(struct store *s, const struct image_source *source, const struct layout_options *o,
               struct image_list *ret, struct error *err)
{
    struct image *image = NULL;
    int r = image_add(s, source, &image, err);
    if (r < 0)
        return r;
    ret->items = xrealloc(ret->items, (ret->count + 1) * sizeof(*ret->items));
    ret->items[ret->count++] = image;
    progress_image(&o->progress, image->blobs, image->id);
    return 0;
}

struct blobs {
    struct image_blob *items;
    size_t count;
};

static void blobs_clear(struct blobs *b)
{
    for (size_t i = 0; i < b->count; i++)
        free((char *)b->items[i].path);
    free(b->items);
}

/* A blob the store has need not be in the layout, nor be copied. */
static int collect(struct store *s, const char *dir, const char *prefix, const char *tmp,
                   char *const *layers, const struct layout_options *o, struct blobs *b,
                   struct error *err)
{
    b->items = xcalloc(strv_length(layers) + 1, sizeof(*b->items));
    STRV_FOREACH(hex, layers)
    {
        _cleanup_free_ char *name = xasprintf("%s%s", prefix, *hex), *there = blob_path(s, *hex);
        _cleanup_free_ char *here = NULL;
        char *own = NULL;
        int r = path_exists(there) ? 1 : layout_find_file(dir, name, &here, err);
        if (r == 0)
            r = layout_own_file(here, tmp, o, &own, err);
        if (r < 0)
            return r;
        b->items[b->count++] = (struct image_blob){.path = own, .digest = *hex};
    }
    return 0;
}

static int read_config(const char *dir, const char *prefix, const char *hex, struct buf *config,
                       struct error *err)
{
    _cleanup_free_ char *name = xasprintf("%s%s", prefix, hex);
    int r = layout_read_file(dir, name, config, err);
    if (r < 0)
        return r;
    char is[DIGEST_HEX_SIZE];
    digest_of(config->data, config->size, is);
    if (!string_equal(is, hex))
        return error_set(err, EBADMSG, "the image config is damaged: its digest is sha256:%s", is);
    return 0;
}

int layout_take_manifest(struct store *s, const char *dir, const char *prefix,
                         const struct buf *manifest, const char *name,
                         const struct layout_options *o, struct image_list *ret, struct error *err)
{
    _cleanup_manifest_ struct manifest m = {0};
    _cleanup_buf_ struct buf config = {0};
    _cleanup_(blobs_clear) struct blobs blobs = {0};
    _cleanup_temp_dir_ char *tmp = NULL;
    int r = manifest_parse(manifest->data, manifest->size, &m, err);
    if (r >= 0)
        r = read_config(dir, prefix, m.config, &config, err);
    if (r >= 0)
        r = store_temp_dir(s, "blobs", &tmp, err);
    if (r >= 0)
        r = collect(s, dir, prefix, tmp, m.layers, o, &blobs, err);
    if (r < 0)
        return r;
    struct image_source source = {
        .config = config.data,
        .config_size = config.size,
        .manifest = manifest->data,
        .manifest_size = manifest->size,
        .blobs = blobs.items,
        .blob_count = blobs.count,
        .name = name,
    };
    return layout_add(s, &source, o, ret, err);
}

static int take_dir(struct store *s, const char *dir, const struct layout_options *o,
                    struct image_list *ret, struct error *err)
{
    _cleanup_free_ char *name = NULL;
    _cleanup_buf_ struct buf manifest = {0};
    int r = layout_read_file(dir, "manifest.json", &manifest, err);
    if (r >= 0)
        r = layout_name(o, NULL, &name, err);
    return r < 0 ? r : layout_take_manifest(s, dir, "", &manifest, name, o, ret, err);
}

int layout_take(struct store *s, enum layout kind, const char *dir, const struct layout_options *o,
                struct image_list *ret, struct error *err)
{
    static int (*const take[])(struct store *, const char *, const struct layout_options *,
                               struct image_list *, struct error *) = {
        [LAYOUT_OCI] = layout_take_oci,
        [LAYOUT_DIR] = take_dir,
        [LAYOUT_DOCKER] = layout_take_docker,
    };
    return take[kind](s, dir, o, ret, err);
}

static int write_text(const char *dir, const char *name, const char *text, struct error *err)
{
    _cleanup_free_ char *path = path_join(dir, name);
    return file_write_atomic(path, text, strlen(text), 0644, false, err);
}

/* Hard links would let whoever gets the directory change the store's blobs. */
static int copy_blob(struct store *s, const char *hex, const char *dir, struct error *err)
{
    _cleanup_free_ char *from = blob_path(s, hex), *to = path_join(dir, hex);
    return path_exists(to) ? 0 : layout_copy_file(from, to, err);
}

static int copy_blobs(struct store *s, const struct image *image, const char *dir,
                      struct error *err)
{
    int r = copy_blob(s, image->id, dir, err);
    STRV_FOREACH(hex, image->blobs)
    if (r >= 0)
        r = copy_blob(s, *hex, dir, err);
    return r;
}

/* As it came where it may stay so: its digest is what it is known by. */
static int choose_manifest(struct store *s, const struct image *image, enum manifest_format wanted,
                           bool convert, char **ret, struct error *err)
{
    const char *type = js_get_string(image->manifest, "mediaType");
    bool docker = type && strstr(type, "docker");
    if (convert && docker != (wanted == MANIFEST_DOCKER)) {
        *ret = manifest_make(s, wanted, image->id, image->blobs, image_annotations(image));
        return 0;
    }
    _cleanup_free_ char *path = blob_path(s, digest_hex_part(image->digest));
    _cleanup_buf_ struct buf text = {0};
    int r = file_read(path, &text, err);
    if (r >= 0)
        *ret = buf_take(&text);
    return r;
}

int layout_write(struct store *s, enum layout kind, const char *dir, const struct image *image,
                 char *const *names, bool convert, struct error *err)
{
    bool oci = kind == LAYOUT_OCI;
    _cleanup_free_ char *manifest = NULL, *blobs = NULL;
    blobs = oci ? path_join(dir, "blobs/sha256") : xstrdup(dir);
    int r = choose_manifest(s, image, oci ? MANIFEST_OCI : MANIFEST_DOCKER, convert || oci,
                            &manifest, err);
    if (r >= 0)
        r = mkdir_parents(blobs, 0755, err);
    if (r >= 0)
        r = copy_blobs(s, image, blobs, err);
    if (r < 0)
        return r;
    char hex[DIGEST_HEX_SIZE];
    digest_of(manifest, strlen(manifest), hex);
    if (!oci) {
        r = write_text(dir, "version", dir_version, err);
        return r < 0 ? r : write_text(dir, "manifest.json", manifest, err);
    }
    r = write_text(blobs, hex, manifest, err);
    return r < 0 ? r : layout_write_oci(s, dir, manifest, hex, names, err);
}
