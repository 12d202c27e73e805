#include "container/image-report.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "container/firn.h"
#include "store/image.h"
#include "store/layer.h"

static struct json *get_copy(const struct json *o, const char *key)
{
    const struct json *v = js_get(o, key);
    return v ? js_copy(v) : NULL;
}

static void set_copy(struct json *to, const char *name, const struct json *from, const char *key)
{
    struct json *v = get_copy(from, key);
    if (v)
        js_set(to, name, v);
}

static struct json *digest_list(const struct image *i)
{
    _cleanup_strv_ char **digests = image_repo_digests(i);
    return js_strings(digests);
}

static struct json *root_fs(const struct image *i)
{
    struct json *o = js_object();
    js_set(o, "Type", js_string("layers"));
    struct json *layers = get_copy(js_get(i->config, "rootfs"), "diff_ids");
    js_set(o, "Layers", layers ? layers : js_array());
    return o;
}

/* Of the layer made last. */
static const char *last_comment(const struct image *i)
{
    const struct json *history = js_get(i->config, "history");
    size_t count = js_count(history);
    const char *comment = count ? js_get_string(js_at(history, count - 1), "comment") : NULL;
    return comment ? comment : "";
}

static struct json *graph_driver(const struct store *s, const struct image *i)
{
    struct json *data = js_object();
    size_t count = strv_length(i->layers);
    if (count) {
        _cleanup_free_ char *top = layer_path(s, i->layers[count - 1]);
        js_set(data, "UpperDir", js_string(top));
    }
    struct json *o = js_object();
    js_set(o, "Name", js_string("overlay"));
    js_set(o, "Data", data);
    return o;
}

static struct json *describe(const struct store *s, const struct image *i)
{
    _cleanup_free_ char *created = time_rfc3339(i->created);
    const struct json *inner = js_get(i->config, "config");
    struct json *o = js_object();
    js_set(o, "Id", js_string(i->id));
    js_set(o, "Digest", js_string(i->digest));
    js_set(o, "RepoTags", js_strings(i->names));
    js_set(o, "RepoDigests", digest_list(i));
    js_set(o, "Parent", js_string(""));
    js_set(o, "Comment", js_string(last_comment(i)));
    js_set(o, "Created", js_string(created));
    js_set(o, "Config", inner ? js_copy(inner) : js_object());
    js_set(o, "Version", js_string(""));
    js_set(o, "Author",
           js_string(js_get_string(i->config, "author") ? js_get_string(i->config, "author") : ""));
    js_set(o, "Architecture", js_string(image_arch(i)));
    js_set(o, "Os", js_string(image_os(i)));
    js_set(o, "Size", js_int(i->size));
    js_set(o, "VirtualSize", js_int(i->size));
    js_set(o, "GraphDriver", graph_driver(s, i));
    js_set(o, "RootFS", root_fs(i));
    js_set(o, "Labels", image_labels(i) ? js_copy(image_labels(i)) : js_null());
    js_set(o, "Annotations", image_annotations(i) ? js_copy(image_annotations(i)) : js_object());
    js_set(o, "ManifestType",
           js_string(js_get_string(i->manifest, "mediaType")
                         ? js_get_string(i->manifest, "mediaType")
                         : "application/vnd.oci.image.manifest.v1+json"));
    js_set(o, "User", js_string(image_user(i)));
    set_copy(o, "History", i->config, "history");
    js_set(o, "NamesHistory", js_strings(i->names));
    return o;
}

int image_report_inspect(struct firn *firn, const char *name, struct json **ret, struct error *err)
{
    _cleanup_image_ struct image *i = NULL;
    int r = image_lookup(firn->store, name, &i, err);
    if (r < 0)
        return r;
    *ret = describe(firn->store, i);
    return 0;
}

struct json *image_report_entry(const struct image *i, size_t containers)
{
    _cleanup_free_ char *created = time_rfc3339(i->created / 1000000000 * 1000000000);
    bool dangling = strv_length(i->names) == 0;
    struct json *o = js_object();
    js_set(o, "Id", js_string(i->id));
    js_set(o, "ParentId", js_string(""));
    js_set(o, "RepoTags", dangling ? js_null() : js_strings(i->names));
    js_set(o, "RepoDigests", digest_list(i));
    js_set(o, "Size", js_int(i->size));
    js_set(o, "SharedSize", js_int(0));
    js_set(o, "VirtualSize", js_int(i->size));
    js_set(o, "Labels", image_labels(i) ? js_copy(image_labels(i)) : js_null());
    js_set(o, "Containers", js_int((int64_t)containers));
    if (dangling)
        js_set(o, "Dangling", js_bool(true));
    else
        js_set(o, "Names", js_strings(i->names));
    js_set(o, "Digest", js_string(i->digest));
    js_set(o, "History", js_strings(i->names));
    js_set(o, "Created", js_int(i->created / 1000000000));
    js_set(o, "CreatedAt", js_string(created));
    return o;
}
