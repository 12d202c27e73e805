#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "container/remove.h"
#include "store/image.h"

struct rmi_options {
    bool all, force, ignore, no_prune;
};

#define RMI(field) offsetof(struct rmi_options, field)

static const struct option table[] = {
    {"all", 'a', OPTION_BOOL, RMI(all), .help = "Remove all images"},
    {"force", 'f', OPTION_BOOL, RMI(force), .help = "Force Removal of the image"},
    {"ignore", 'i', OPTION_BOOL, RMI(ignore),
     .help = "Ignore errors if a specified image does not exist"},
    {"no-prune", 0, OPTION_BOOL, RMI(no_prune), .help = "Do not remove dangling images"},
    {0},
};

static int remove_users(struct call *call, const char *name, struct error *err)
{
    static const struct remove_options options = {.force = true, .timeout_seconds = -1};
    _cleanup_image_ struct image *image = NULL;
    _cleanup_strv_ char **users = NULL;
    int r = image_lookup(call->firn->store, name, &image, err);
    if (r >= 0)
        r = image_users(call->firn->store, image->id, &users, err);
    for (char **id = users; r >= 0 && id && *id; id++) {
        _cleanup_container_ struct container *c = NULL;
        r = container_lookup(call->firn, *id, &c, err);
        if (r >= 0)
            r = container_remove(c, &options, err);
    }
    return r;
}

static int remove_one(struct call *call, const char *name, char ***deleted, struct error *err)
{
    const struct rmi_options *o = call->options;
    _cleanup_strv_ char **untagged = NULL;
    _cleanup_free_ char *id = NULL;
    int r = image_remove(call->firn->store, name, o->force || o->all, &untagged, &id, err);
    if (r < 0 && err->kind == ERROR_IN_USE && o->force) {
        *err = (struct error){0};
        r = remove_users(call, name, err);
        if (r >= 0)
            r = image_remove(call->firn->store, name, true, &untagged, &id, err);
    }
    if (r < 0)
        return r;
    STRV_FOREACH(u, untagged)
    printf("Untagged: %s\n", *u);
    if (id)
        strv_add(deleted, id);
    return 0;
}

/* The images there are, by id. */
static int all_names(struct call *call, char ***names, struct error *err)
{
    _cleanup_image_list_ struct image_list list = {0};
    int r = image_list(call->firn->store, &list, err);
    for (size_t i = 0; i < list.count; i++)
        strv_add(names, list.items[i]->id);
    return r;
}

/* Podman tells several failures as one. */
static int combine(char *const *texts, struct error *last, struct error *err)
{
    size_t count = strv_length(texts);
    *err = *last;
    if (count < 2)
        return count ? -last->code : 0;
    _cleanup_free_ char *list = strv_join(texts, "\n\t* ");
    return error_kind_set(err, last->kind, "%zu errors occurred:\n\t* %s", count, list);
}

/* What is in use weighs more than what is not there. */
static void add_failure(char ***texts, struct error *worst, const struct error *one)
{
    strv_add(texts, one->text);
    if (!worst->code || one->kind == ERROR_IN_USE || worst->kind == ERROR_NOT_FOUND)
        *worst = *one;
}

static int run(struct call *call, struct error *err)
{
    const struct rmi_options *o = call->options;
    _cleanup_strv_ char **names = NULL, **deleted = NULL, **failures = NULL;
    struct error worst = {0};
    if (o->all && call->arg_count)
        return error_kind_set(err, ERROR_USAGE,
                              "when using the --all switch, you may not pass any images names or "
                              "IDs");
    if (!o->all && !call->arg_count)
        return error_kind_set(err, ERROR_USAGE, "image name or ID must be specified");
    strv_add_all(&names, call->args);
    int r = o->all ? all_names(call, &names, err) : 0;
    if (r < 0)
        return r;
    STRV_FOREACH(name, names)
    {
        struct error one = {0};
        r = remove_one(call, *name, &deleted, &one);
        bool passed_over = o->ignore && one.kind == ERROR_NOT_FOUND;
        if (r < 0 && !passed_over)
            add_failure(&failures, &worst, &one);
    }
    STRV_FOREACH(id, deleted)
    printf("Deleted: %s\n", *id);
    return combine(failures, &worst, err);
}

const struct command command_rmi = {
    .paths = {"rmi", "image rm", "image remove"},
    .usage = "[options] IMAGE [IMAGE...]",
    .help = "Removes one or more images from local storage",
    .options = table,
    .options_size = sizeof(struct rmi_options),
    .args_most = ARGS_ANY,
    .flags = COMMAND_RM_CODES,
    .run = run,
};
