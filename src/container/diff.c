#include "container/diff.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/firn.h"
#include "store/image.h"
#include "store/overlay.h"

/* Mount points of every container. */
static const char *const ours[] = {"/dev",
                                   "/etc/hostname",
                                   "/etc/hosts",
                                   "/etc/resolv.conf",
                                   "/etc/mtab",
                                   "/proc",
                                   "/run",
                                   "/run/notify",
                                   "/run/.containerenv",
                                   "/run/secrets",
                                   "/sys",
                                   "/var/run",
                                   "/dev/console",
                                   "/dev/shm",
                                   "/dev/pts",
                                   "/dev/mqueue",
                                   NULL};

bool diff_is_ours(const char *path)
{
    return strv_contains((char *const *)ours, path);
}

static void add_mounts(const struct container *c, char ***list)
{
    static const char *const keys[] = {"mounts", "namedVolumes"};
    const struct json *mounts = js_path(c->config, "spec", "mounts", NULL);
    JSON_FOREACH(mounts, i)
    {
        const char *where = js_get_string(js_at(mounts, i), "destination");
        if (where)
            strv_add(list, where);
    }
    for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
        const struct json *volumes = js_get(c->config, keys[k]);
        JSON_FOREACH(volumes, i)
        {
            const char *where = js_is_object(js_at(volumes, i))
                                    ? js_get_string(js_at(volumes, i), "dest")
                                    : js_text(js_at(volumes, i));
            if (where)
                strv_add(list, where);
        }
    }
}

static void leave_out(struct changes *changes, char *const *without)
{
    size_t kept = 0;
    for (size_t i = 0; i < changes->count; i++) {
        if (diff_is_ours(changes->items[i].path) || strv_contains(without, changes->items[i].path))
            free(changes->items[i].path);
        else
            changes->items[kept++] = changes->items[i];
    }
    changes->count = kept;
}

static int diff_container(struct container *c, struct changes *ret, struct error *err)
{
    _cleanup_strv_ char **mounts = NULL;
    _cleanup_free_ char *upper = container_path(c, "upper");
    if (!path_exists(upper))
        return 0; /* never started */
    int r = rootfs_diff_container(c->firn->store, c->id, container_image_id(c), ret, err);
    if (r < 0)
        return r;
    add_mounts(c, &mounts);
    leave_out(ret, mounts);
    return 0;
}

static int diff_image(struct firn *firn, const struct image *image, struct changes *ret,
                      struct error *err)
{
    _cleanup_strv_ char **layers = NULL;
    int r = overlay_container_layers(firn->store, image->id, &layers, err);
    if (r < 0)
        return r;
    size_t count = strv_length(layers);
    _cleanup_free_ char *top = layers[count - 1];
    layers[count - 1] = NULL;
    r = rootfs_diff_find(top, layers, firn->store->rootless, ret, err);
    if (r == 0)
        leave_out(ret, NULL);
    return r;
}

int container_diff(struct firn *firn, const char *name, struct changes *ret, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    _cleanup_image_ struct image *image = NULL;
    struct error why = {0};
    int r = container_lookup(firn, name, &c, &why);
    if (r == 0)
        return diff_container(c, ret, err);
    if (why.kind == ERROR_NOT_FOUND)
        r = image_lookup(firn->store, name, &image, &why);
    if (r >= 0)
        return diff_image(firn, image, ret, err);
    if (why.kind == ERROR_NOT_FOUND)
        return error_kind_set(err, ERROR_NOT_FOUND, "%s not found: layer not known", name);
    *err = why;
    return r;
}
