#include "store/registry.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/event.h"
#include "store/image-names.h"
#include "store/layout.h"
#include "store/load.h"
#include "store/manifest.h"
#include "store/reference.h"
#include "store/save.h"
#include "store/skopeo.h"
#include "store/transport.h"

static struct layout_options layout_of(const struct registry_options *o)
{
    return (struct layout_options){
        .ours = true, .arch = o->arch, .os = o->os, .variant = o->variant, .progress = o->progress};
}

/* The last image of a list, which then no longer owns it. */
static struct image *take_last(struct image_list *l)
{
    struct image *last = l->items[l->count - 1];
    l->count--;
    return last;
}

/* The image whose manifest the registry names now, if it is here: 1, else 0. */
static int already_here(struct store *s, const char *from, const struct registry_options *o,
                        struct image **ret, struct error *err)
{
    _cleanup_buf_ struct buf manifest = {0};
    _cleanup_json_ struct json *json = NULL;
    char hex[DIGEST_HEX_SIZE];
    int r = skopeo_manifest(from, o, &manifest, err);
    if (r < 0)
        return r;
    digest_of(manifest.data, manifest.size, hex);
    if (js_parse(manifest.data, manifest.size, "manifest", &json, NULL) < 0)
        return 0;
    const char *own =
        manifest_is_list(json) ? manifest_choose(json, o->arch, o->os, o->variant) : hex;
    _cleanup_free_ char *digest = own ? xasprintf("sha256:%s", own) : NULL;
    return digest && image_by_digest(s, digest, ret, NULL) >= 0;
}

static int download(struct store *s, const char *from, const char *name,
                    const struct registry_options *o, struct image **ret, struct error *err)
{
    _cleanup_temp_dir_ char *tmp = NULL;
    _cleanup_image_list_ struct image_list list = {0};
    int r = store_temp_dir(s, "pull", &tmp, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *dir = path_join(tmp, "image"), *to = xasprintf("dir:%s", dir);
    struct layout_options layout = layout_of(o);
    layout.name = name;
    layout.progress = (struct progress){0}; /* skopeo says it */
    r = skopeo_copy(from, to, false, o, err);
    if (r >= 0)
        r = layout_take(s, LAYOUT_DIR, dir, &layout, &list, err);
    if (r >= 0)
        *ret = take_last(&list);
    return r;
}

static int pull_full(struct store *s, const char *name, const struct registry_options *o,
                     struct image **ret, struct error *err)
{
    _cleanup_free_ char *from = xasprintf("docker://%s", name);
    _cleanup_image_ struct image *here = NULL;
    progress_line(&o->progress, "Trying to pull %s...", name);
    int r = already_here(s, from, o, &here, err);
    if (r <= 0)
        return r < 0 ? r : download(s, from, name, o, ret, err);
    r = image_name_set(s, here->id, name, err);
    return r < 0 ? r : image_by_id(s, here->id, ret, err);
}

/* The first candidate that works; what all of them said when none does. */
static int pull_any(struct store *s, char *const *candidates, const struct registry_options *o,
                    struct image **ret, struct error *err)
{
    _cleanup_buf_ struct buf reasons = {0};
    struct error why = {0};
    size_t count = 0;
    STRV_FOREACH(name, candidates)
    {
        if (pull_full(s, *name, o, ret, &why) >= 0)
            return 0;
        buf_printf(&reasons, "\n * %s", why.text);
        count++;
    }
    if (count == 1) {
        if (err)
            *err = why;
        return -why.code;
    }
    return error_set(err, why.code, "%zu errors occurred while pulling:%s", count,
                     reasons.size ? reasons.data : "");
}

static int pull_tags(struct store *s, const char *name, const struct registry_options *o,
                     struct image **ret, struct error *err)
{
    _cleanup_reference_ struct reference ref = {0};
    _cleanup_strv_ char **tags = NULL;
    int r = reference_parse(name, &ref, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *repository = reference_repository(&ref);
    _cleanup_free_ char *from = xasprintf("docker://%s", repository);
    r = skopeo_tags(from, o, &tags, err);
    if (r >= 0 && !strv_length(tags))
        return error_set(err, ENOENT, "%s has no tags", repository);
    STRV_FOREACH(tag, tags)
    {
        _cleanup_free_ char *full = xasprintf("%s:%s", repository, *tag);
        image_release(*ret);
        *ret = NULL;
        if (r >= 0)
            r = pull_full(s, full, o, ret, err);
    }
    return r;
}

static int pull_registry(struct store *s, const struct transport *t,
                         const struct registry_options *o, struct image **ret, struct error *err)
{
    _cleanup_strv_ char **candidates = NULL;
    _cleanup_free_ char *note = NULL;
    _cleanup_image_ struct image *image = NULL;
    int r = skopeo_check_authfile(o, err);
    if (r >= 0)
        r = reference_pull_candidates(t->path, &candidates, &note, err);
    if (r < 0)
        return r;
    if (note)
        progress_line(&o->progress, "%s", note);
    r = o->all_tags ? pull_tags(s, candidates[0], o, &image, err)
                    : pull_any(s, candidates, o, &image, err);
    if (r >= 0)
        *ret = take_ptr(image);
    return r;
}

int registry_pull(struct store *s, const char *source, const struct registry_options *o,
                  struct image **ret, struct error *err)
{
    _cleanup_transport_ struct transport t = {0};
    _cleanup_image_list_ struct image_list list = {0};
    struct layout_options layout = layout_of(o);
    int r = transport_parse(source, &t, err);
    if (r < 0)
        return r;
    layout.ref = t.ref;
    r = t.kind == TRANSPORT_REGISTRY ? pull_registry(s, &t, o, ret, err)
                                     : load_transport(s, &t, &layout, &list, err);
    if (r >= 0 && t.kind != TRANSPORT_REGISTRY)
        *ret = take_last(&list);
    if (r >= 0)
        event_emit_image(s, "pull", *ret, NULL);
    return r;
}

static int push_registry(struct store *s, const struct image *image, const char *to,
                         const struct registry_options *o, struct error *err)
{
    _cleanup_temp_dir_ char *tmp = NULL;
    _cleanup_free_ char *full = NULL;
    int r = skopeo_check_authfile(o, err);
    if (r >= 0)
        r = reference_normalize(to, &full, err);
    if (r >= 0)
        r = store_temp_dir(s, "push", &tmp, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *dir = path_join(tmp, "image"), *from = xasprintf("dir:%s", dir);
    _cleanup_free_ char *where = xasprintf("docker://%s", full);
    r = mkdir_parents(dir, 0700, err);
    if (r >= 0)
        r = layout_write(s, LAYOUT_DIR, dir, image, NULL, false, err);
    return r < 0 ? r : skopeo_copy(from, where, true, o, err);
}

int registry_push(struct store *s, const struct image *image, const char *name,
                  const char *destination, const struct registry_options *o, struct error *err)
{
    _cleanup_transport_ struct transport t = {0};
    int r = transport_parse(destination ? destination : name, &t, err);
    if (r < 0)
        return r;
    char *names[] = {t.ref ? t.ref : (char *)name, NULL};
    r = t.kind == TRANSPORT_REGISTRY
            ? push_registry(s, image, t.path, o, err)
            : save_transport(s, &t, image, names, o->format, &o->progress, err);
    if (r >= 0)
        event_emit_image(s, "push", image, name);
    return r;
}

/* A policy is a look-up here and a pull, in an order. */
static const struct {
    const char *name;
    bool look_first, pull, look_last;
} policies[] = {
    {"missing", .look_first = true, .pull = true},
    {"always", .pull = true},
    {"never", .look_first = true},
    {"newer", .pull = true, .look_last = true},
};

static int ensure(struct store *s, const char *name, size_t policy,
                  const struct registry_options *o, struct image **ret, struct error *err)
{
    struct error missing = {0};
    if (policies[policy].look_first) {
        int r = image_lookup(s, name, ret, &missing);
        if (r >= 0 || missing.kind != ERROR_NOT_FOUND || !policies[policy].pull) {
            if (r < 0 && err)
                *err = missing;
            return r;
        }
    }
    int r = registry_pull(s, name, o, ret, err);
    if (r < 0 && policies[policy].look_last && image_lookup(s, name, ret, NULL) >= 0)
        return 0;
    return r;
}

int registry_ensure(struct store *s, const char *name, const char *policy,
                    const struct registry_options *o, struct image **ret, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (string_equal(policy ? policy : "missing", policies[i].name))
            return ensure(s, name, i, o, ret, err);
    return error_kind_set(err, ERROR_USAGE, "unsupported pull policy \"%s\"", policy);
}
