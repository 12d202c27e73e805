/* Docker's checkpoints: named ones, any number to a container, each a local checkpoint in a
 * directory of its own. */
#include <ctype.h>
#include <dirent.h>
#include <string.h>

#include "api/containers.h"
#include "api/docker-checkpoints.h"
#include "api/routes.h"
#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/checkpoint.h"
#include "container/restore.h"

static bool is_name(const char *name)
{
    if (!name || !isalnum((unsigned char)*name))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
            return false;
    return true;
}

static char *parent_of(const struct container *c, const char *directory)
{
    return directory && *directory ? xstrdup(directory) : container_path(c, "checkpoints");
}

static bool is_checkpoint(const char *path)
{
    _cleanup_free_ char *inventory = path_join(path, "checkpoint/inventory.img");
    return path_exists(inventory);
}

/* Where the checkpoint is or is to be. */
static int path_of(const struct container *c, const char *directory, const char *name, char **ret,
                   struct error *err)
{
    if (!is_name(name))
        return error_kind_set(err, ERROR_USAGE,
                              "Invalid checkpoint ID (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
                              "allowed",
                              name ? name : "");
    if (directory && *directory && *directory != '/')
        return error_kind_set(err, ERROR_USAGE, "the checkpoint directory %s is no absolute path",
                              directory);
    _cleanup_free_ char *parent = parent_of(c, directory);
    *ret = path_join(parent, name);
    return 0;
}

static int find(const struct container *c, const char *directory, const char *name, char **ret,
                struct error *err)
{
    _cleanup_free_ char *path = NULL;
    int r = path_of(c, directory, name, &path, err);
    if (r < 0)
        return r;
    if (!is_checkpoint(path))
        return error_kind_set(err, ERROR_NOT_FOUND, "checkpoint %s does not exist for container %s",
                              name, c->name);
    *ret = take_ptr(path);
    return 0;
}

int docker_checkpoint_restore(struct container *c, const char *directory, const char *name,
                              struct error *err)
{
    _cleanup_free_ char *path = NULL;
    int r = find(c, directory, name, &path, err);
    const struct restore_options o = {.local_path = path};
    return r < 0 ? r : container_restore(c->firn, c, &o, NULL, err);
}

/* ---- routes ---- */

struct create_body {
    char *id, *directory;
    bool exit;
};
static const struct option create_body[] = {
    {"CheckpointID", 0, OPTION_STRING, offsetof(struct create_body, id)},
    {"CheckpointDir", 0, OPTION_STRING, offsetof(struct create_body, directory)},
    {"Exit", 0, OPTION_BOOL, offsetof(struct create_body, exit)},
    {0},
};

static int make(struct container *c, const struct create_body *b, struct error *err)
{
    _cleanup_free_ char *path = NULL, *parent = parent_of(c, b->directory);
    int r = path_of(c, b->directory, b->id, &path, err);
    if (r < 0)
        return r;
    if (path_exists(path))
        return error_kind_set(err, ERROR_CONFLICT,
                              "checkpoint with name %s already exists for container %s", b->id,
                              c->name);
    r = mkdir_parents(parent, 0700, err);
    const struct checkpoint_options o = {.local_path = path, .leave_running = !b->exit};
    struct checkpoint_stats s;
    return r < 0 ? r : container_checkpoint(c->firn, c, &o, &s, err);
}

static int create(struct request *r, struct reply *reply, struct error *err)
{
    struct create_body b = {0};
    _cleanup_container_ struct container *c = NULL;
    int e = option_from_json(create_body, &b, r->json, err);
    if (e >= 0)
        e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = make(c, &b, err);
    option_free(create_body, &b);
    return e < 0 ? e : reply_empty(reply, 201, err);
}

struct directory_query {
    char *directory;
};
static const struct option directory_query[] = {
    {"dir", 0, OPTION_STRING, offsetof(struct directory_query, directory)},
    {0},
};

static int list(struct request *r, struct reply *reply, struct error *err)
{
    const struct directory_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    int e = containers_lookup(r, &c, err);
    if (e < 0)
        return e;
    _cleanup_json_ struct json *result = js_array();
    _cleanup_free_ char *parent = parent_of(c, q->directory);
    _cleanup_closedir_ DIR *dir = opendir(parent);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        _cleanup_free_ char *path = path_join(parent, d->d_name);
        if (!is_name(d->d_name) || !is_checkpoint(path))
            continue;
        struct json *one = js_object();
        js_set(one, "Name", js_string(d->d_name));
        js_push(result, one);
    }
    return reply_json(reply, 200, result, err);
}

static int remove_it(struct request *r, struct reply *reply, struct error *err)
{
    const struct directory_query *q = r->options;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_free_ char *path = NULL;
    int e = containers_lookup(r, &c, err);
    if (e >= 0)
        e = find(c, q->directory, r->args[1], &path, err);
    if (e >= 0)
        e = remove_tree(path, err);
    return e < 0 ? e : reply_empty(reply, 204, err);
}

const struct route docker_checkpoints_routes[] = {
    {"POST", API_DOCKER, "/containers/{name}/checkpoints", create,
     .flags = ROUTE_BODY | ROUTE_CHANGES},
    {"GET", API_DOCKER, "/containers/{name}/checkpoints", list,
     OPTIONS(directory_query, directory_query)},
    {"DELETE", API_DOCKER, "/containers/{name}/checkpoints/{checkpoint}", remove_it,
     OPTIONS(directory_query, directory_query), ROUTE_CHANGES},
    {0},
};
