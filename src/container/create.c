#include "container/create.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/config.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/remove.h"
#include "container/volumes.h"
#include "store/image.h"
#include "store/network.h"
#include "store/registry.h"
#include "store/store.h"

/* --- the image ----------------------------------------------------------------------------- */

static int check_policy(const char *policy, struct error *err)
{
    static const char *const known[] = {"missing", "always", "never", "newer"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i], policy) == 0)
            return 0;
    return error_kind_set(err, ERROR_USAGE, "unsupported pull policy \"%s\"", policy);
}

static int pull(struct firn *firn, const struct create_options *o, const char *policy,
                struct image **ret, struct error *err)
{
    struct registry_options options = {.creds = o->creds, .authfile = o->authfile};
    if (o->tls_verify_given)
        options.tls = o->tls_verify ? REGISTRY_TLS_VERIFY : REGISTRY_TLS_SKIP;
    if (!o->quiet)
        options.progress = o->progress;
    return registry_ensure(firn->store, o->image, policy, &options, ret, err);
}

/* The image and the name it goes by: "" when found by its id. */
static int find_image(struct firn *firn, const struct create_options *o, struct image **ret,
                      char **ret_name, struct error *err)
{
    const char *policy = o->pull && *o->pull ? o->pull : "missing";
    int r = check_policy(policy, err);
    if (r < 0)
        return r;
    _cleanup_image_ struct image *image = NULL;
    _cleanup_free_ char *name = NULL;
    r = -ENOENT;
    if (strcmp(policy, "missing") == 0)
        r = image_lookup_name(firn->store, o->image, &image, &name, NULL);
    if (r < 0) {
        r = pull(firn, o, policy, &image, err);
        if (r < 0)
            return r;
        _cleanup_image_ struct image *again = NULL;
        if (image_lookup_name(firn->store, o->image, &again, &name, NULL) < 0)
            name = image->names && image->names[0] ? xstrdup(image->names[0]) : NULL;
    }
    if (!name && image->names && image->names[0])
        name = xstrdup(image->names[0]);
    *ret = take_ptr(image);
    *ret_name = name ? take_ptr(name) : xstrdup("");
    return 0;
}

/* --- the container ------------------------------------------------------------------------- */

static int networks_attach(struct container *c, struct error *err)
{
    JSON_FOREACH_KEY(js_get(c->config, "newNetworks"), it)
    {
        int r = network_attach(c->firn->store, js_iter_key(it), c->id, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int insert(struct container *c, struct error *err)
{
    _cleanup_transaction_ struct transaction t = {0};
    int r = transaction_begin(&t, c->firn->store->db, err);
    if (r == 0)
        r = container_insert(c, err);
    if (r == 0)
        r = volumes_attach(c, err);
    if (r == 0)
        r = networks_attach(c, err);
    return r < 0 ? r : transaction_commit(&t, err);
}

static int replace_old(struct firn *firn, const char *name, char **ret_replaced, struct error *err)
{
    _cleanup_container_ struct container *old = NULL;
    int r = container_lookup(firn, name, &old, NULL);
    if (r < 0 || strcmp(old->name, name) != 0)
        return 0;
    r = container_remove(
        old, &(struct remove_options){.force = true, .volumes = true, .timeout_seconds = -1}, err);
    if (r == 0 && ret_replaced)
        *ret_replaced = xstrdup(old->id);
    return r;
}

static int check_cidfile(const char *path, struct error *err)
{
    if (path && path_exists(path))
        return error_kind_set(err, ERROR_USAGE,
                              "container id file exists. Ensure another container is not using it "
                              "or delete %s",
                              path);
    return 0;
}

static int write_cidfile(struct container *c, const char *path, struct error *err)
{
    int r = path ? file_write_atomic(path, c->id, strlen(c->id), 0644, false, err) : 0;
    if (r < 0)
        container_remove(c, &(struct remove_options){.force = true, .volumes = true}, NULL);
    return r;
}

int container_create_from_config(struct firn *firn, struct json *config, struct container **ret,
                                 struct error *err)
{
    _cleanup_container_ struct container *c = container_new(firn, config);
    int r = insert(c, err);
    if (r < 0)
        return r;
    container_event(c, "create");
    *ret = take_ptr(c);
    return 0;
}

int container_create(struct firn *firn, const struct create_options *options,
                     struct container **ret, char **ret_replaced, struct error *err)
{
    int r = check_cidfile(options->cidfile, err);
    if (r < 0)
        return r;
    if (options->replace && !options->name)
        return error_kind_set(err, ERROR_USAGE,
                              "cannot replace container without --name being set");
    _cleanup_image_ struct image *image = NULL;
    _cleanup_free_ char *image_name = NULL;
    r = find_image(firn, options, &image, &image_name, err);
    if (r < 0)
        return r;
    _cleanup_json_ struct json *config = NULL;
    r = config_make(firn, options, image, &config, err);
    if (r == 0 && options->replace)
        r = replace_old(firn, options->name, ret_replaced, err);
    if (r < 0)
        return r;
    js_set(config, "rootfsImageName", js_string(image_name));
    _cleanup_container_ struct container *c = NULL;
    r = container_create_from_config(firn, take_ptr(config), &c, err);
    if (r == 0)
        r = write_cidfile(c, options->cidfile, err);
    if (r < 0)
        return r;
    *ret = take_ptr(c);
    return 0;
}
