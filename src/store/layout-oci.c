#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/layout.h"
#include "store/manifest.h"

#define BLOBS       "blobs/sha256/"
#define REF_NAME    "org.opencontainers.image.ref.name"
#define NESTING_MAX 4

static int read_blob(const char *dir, const char *hex, struct buf *b, struct error *err)
{
    _cleanup_free_ char *name = xasprintf(BLOBS "%s", hex);
    char is[DIGEST_HEX_SIZE];
    int r = layout_read_file(dir, name, b, err);
    if (r < 0)
        return r;
    digest_of(b->data, b->size, is);
    return string_equal(is, hex)
               ? 0
               : error_set(err, EBADMSG, "blob sha256:%s is damaged: its digest is sha256:%s", hex,
                           is);
}

/* Down a list of manifests to the one for our machine. */
static int find_manifest(const char *dir, const char *digest, const struct layout_options *o,
                         struct buf *manifest, struct error *err)
{
    _cleanup_free_ char *hex = xstrdup_null(digest_hex_part(digest));
    for (int depth = 0; hex && depth < NESTING_MAX; depth++) {
        _cleanup_json_ struct json *json = NULL;
        buf_clear(manifest);
        int r = read_blob(dir, hex, manifest, err);
        if (r >= 0)
            r = js_parse(manifest->data, manifest->size, "the image manifest", &json, err);
        if (r < 0 || !manifest_is_list(json))
            return r;
        free(hex);
        hex = xstrdup_null(manifest_choose(json, o->arch, o->os, o->variant));
    }
    return error_set(err, ENOENT, "the OCI layout has no image for this machine");
}

static const char *written_name(const struct json *entry)
{
    const struct json *notes = js_get(entry, "annotations");
    const char *full = js_get_string(notes, "io.containerd.image.name");
    return full ? full : js_get_string(notes, REF_NAME);
}

static int take_entry(struct store *s, const char *dir, const struct json *entry,
                      const struct layout_options *o, struct image_list *ret, struct error *err)
{
    _cleanup_buf_ struct buf manifest = {0};
    _cleanup_free_ char *name = NULL;
    int r = layout_name(o, written_name(entry), &name, err);
    if (r >= 0)
        r = find_manifest(dir, js_get_string(entry, "digest"), o, &manifest, err);
    return r < 0 ? r : layout_take_manifest(s, dir, BLOBS, &manifest, name, o, ret, err);
}

int layout_take_oci(struct store *s, const char *dir, const struct layout_options *o,
                    struct image_list *ret, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_ struct json *index = NULL;
    int r = layout_read_file(dir, "index.json", &text, err);
    if (r >= 0)
        r = js_parse(text.data, text.size, "index.json", &index, err);
    const struct json *entries = js_get(index, "manifests");
    size_t taken = 0;
    JSON_FOREACH(entries, i)
    {
        const struct json *entry = js_at(entries, i);
        const char *ref = js_get_string(js_get(entry, "annotations"), REF_NAME);
        if (r < 0 || (o->ref && !string_equal(ref, o->ref)))
            continue;
        r = take_entry(s, dir, entry, o, ret, err);
        taken++;
    }
    if (r >= 0 && !taken)
        return error_set(err, ENOENT, "no image%s%s found in oci layout %s", o->ref ? " " : "",
                         o->ref ? o->ref : "", dir);
    return r;
}

static void add_entry(struct json *entries, const char *manifest, const char *hex, const char *name)
{
    _cleanup_json_ struct json *json = NULL;
    if (js_parse(manifest, strlen(manifest), "manifest", &json, NULL) < 0)
        return;
    _cleanup_free_ char *digest = xasprintf("sha256:%s", hex);
    struct json *entry = js_object();
    js_set(entry, "mediaType", js_string(js_get_string(json, "mediaType")));
    js_set(entry, "digest", js_string(digest));
    js_set(entry, "size", js_int((int64_t)strlen(manifest)));
    if (name) {
        struct json *notes = js_object();
        js_set(notes, REF_NAME, js_string(name));
        js_set(entry, "annotations", notes);
    }
    js_push(entries, entry);
}

int layout_write_oci(struct store *s, const char *dir, const char *manifest, const char *hex,
                     char *const *names, struct error *err)
{
    _cleanup_free_ char *index = path_join(dir, "index.json"), *layout = NULL;
    _cleanup_json_ struct json *json = js_object();
    struct json *entries = js_array();
    js_set(json, "schemaVersion", js_int(2));
    js_set(json, "manifests", entries);
    STRV_FOREACH(name, names)
    add_entry(entries, manifest, hex, *name);
    if (strv_length(names) == 0)
        add_entry(entries, manifest, hex, NULL);
    _cleanup_free_ char *text = js_dump(json, 0);
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    layout = path_join(dir, "oci-layout");
    int r = file_write_atomic(layout, version, strlen(version), 0644, false, err);
    return r < 0 ? r : file_write_atomic(index, text, strlen(text), 0644, false, err);
}
