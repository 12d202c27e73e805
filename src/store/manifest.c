#include "store/manifest.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/strv.h"
#include "store/blob.h"
#include "store/platform.h"

static const struct types {
    const char *manifest, *config, *layer;
    const char *separator; /* before the name of the compression */
} types[] = {
    [MANIFEST_OCI] = {"application/vnd.oci.image.manifest.v1+json",
                      "application/vnd.oci.image.config.v1+json",
                      "application/vnd.oci.image.layer.v1.tar", "+"},
    [MANIFEST_DOCKER] = {"application/vnd.docker.distribution.manifest.v2+json",
                         "application/vnd.docker.container.image.v1+json",
                         "application/vnd.docker.image.rootfs.diff.tar", "."},
};

static int add_layers(const struct json *list, struct manifest *m, struct error *err)
{
    JSON_FOREACH(list, i)
    {
        const char *hex = digest_hex_part(js_get_string(js_at(list, i), "digest"));
        if (!hex)
            return error_set(err, EBADMSG, "the manifest has a layer without a sha256 digest");
        strv_add(&m->layers, hex);
    }
    return 0;
}

int manifest_parse(const char *text, size_t size, struct manifest *ret, struct error *err)
{
    _cleanup_manifest_ struct manifest m = {0};
    int r = js_parse(text, size, "the image manifest", &m.json, err);
    if (r < 0)
        return r;
    const char *config = digest_hex_part(js_get_string(js_get(m.json, "config"), "digest"));
    if (!config || !js_is_array(js_get(m.json, "layers")))
        return error_set(err, EBADMSG, "the image manifest is of a kind that is not supported (%s)",
                         js_get_string(m.json, "mediaType") ? js_get_string(m.json, "mediaType")
                                                            : "no media type");
    m.config = xstrdup(config);
    r = add_layers(js_get(m.json, "layers"), &m, err);
    if (r < 0)
        return r;
    *ret = m;
    m = (struct manifest){0};
    return 0;
}

void manifest_free(struct manifest *m)
{
    js_unref(m->json);
    free(m->config);
    strv_free(m->layers);
}

static struct json *descriptor(struct store *s, const char *type, const char *hex)
{
    _cleanup_free_ char *path = blob_path(s, hex), *digest = xasprintf("sha256:%s", hex);
    struct stat st;
    struct json *d = js_object();
    js_set(d, "mediaType", js_string(type));
    js_set(d, "digest", js_string(digest));
    js_set(d, "size", js_int(stat(path, &st) < 0 ? 0 : (int64_t)st.st_size));
    return d;
}

static char *layer_type(struct store *s, const struct types *t, const char *hex)
{
    _cleanup_free_ char *path = blob_path(s, hex);
    _cleanup_blob_ struct blob *blob = NULL;
    if (blob_open(path, &blob, NULL) < 0 || string_equal(blob_compression(blob), "none"))
        return xstrdup(t->layer);
    return xasprintf("%s%s%s", t->layer, t->separator, blob_compression(blob));
}

char *manifest_make(struct store *s, enum manifest_format format, const char *config,
                    char *const *layers, const struct json *annotations)
{
    const struct types *t = &types[format];
    _cleanup_json_ struct json *m = js_object();
    js_set(m, "schemaVersion", js_int(2));
    js_set(m, "mediaType", js_string(t->manifest));
    js_set(m, "config", descriptor(s, t->config, config));
    struct json *list = js_array();
    js_set(m, "layers", list);
    STRV_FOREACH(hex, layers)
    {
        _cleanup_free_ char *type = layer_type(s, t, *hex);
        js_push(list, descriptor(s, type, *hex));
    }
    if (annotations && format == MANIFEST_OCI)
        js_set(m, "annotations", js_copy(annotations));
    return js_dump(m, 0);
}

bool manifest_is_list(const struct json *o)
{
    const char *type = js_get_string(o, "mediaType");
    return string_equal(type, "application/vnd.oci.image.index.v1+json") ||
           string_equal(type, "application/vnd.docker.distribution.manifest.list.v2+json") ||
           (!type && js_is_array(js_get(o, "manifests")));
}

const char *manifest_choose(const struct json *list, const char *arch, const char *os,
                            const char *variant)
{
    const struct json *entries = js_get(list, "manifests");
    JSON_FOREACH(entries, i)
    {
        const struct json *entry = js_at(entries, i), *platform = js_get(entry, "platform");
        if (platform && (!string_equal(js_get_string(platform, "architecture"),
                                       arch ? arch : platform_arch()) ||
                         !string_equal(js_get_string(platform, "os"), os ? os : "linux") ||
                         (variant && !string_equal(js_get_string(platform, "variant"), variant))))
            continue;
        return digest_hex_part(js_get_string(entry, "digest"));
    }
    return NULL;
}
