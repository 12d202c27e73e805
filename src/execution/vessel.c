#include "execution/vessel.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/checkpoint.h"
#include "container/create.h"
#include "container/firn.h"
#include "container/kill.h"
#include "container/remove.h"
#include "container/restore.h"
#include "container/start.h"
#include "execution/config.h"
#include "execution/place.h"
#include "store/volume.h"

/* What stops a checkpoint may be over in a moment: a process that is just exiting, a connection
 * that is just being made. */
enum { ATTEMPTS = 4, PAUSE_MS = 50 };

/* ---- the tag ---- */

const struct json *vessel_tag(const struct container *c)
{
    return js_path(c->config, "firn", "execution", NULL);
}

/* It travels with the container into its checkpoints, and so says what each of them is. */
static int write_tag(struct container *c, const struct execution *e, const char *token,
                     int64_t sequence, struct error *err)
{
    struct json *tag = js_object();
    js_set(tag, "id", js_string(e->id));
    js_set(tag, "config", js_copy(e->config));
    js_set(tag, "token", js_string(token));
    js_set(tag, "sequence", js_int(sequence));
    if (!js_is_object(js_get(c->config, "firn")))
        js_set(c->config, "firn", js_object());
    js_set(js_get(c->config, "firn"), "execution", tag);
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    r = container_save_config(c, err);
    container_unlock(c);
    return r;
}

/* ---- making ---- */

int vessel_create(const struct execution *e, struct error *err)
{
    _cleanup_(create_options_free) struct create_options o;
    _cleanup_strv_ char **kept = NULL;
    _cleanup_container_ struct container *c = NULL;
    _cleanup_free_ char *name = xasprintf("execution-%.12s", e->id), *api = place_run(e, "api");
    create_options_init(&o);
    execution_config_apply(e->config, &o, &kept);
    o.id = e->id;
    o.name = name;
    o.quiet = true;
    strv_addf(&o.volumes, "%s:" PLACE_INSIDE, api);
    strv_addf(&o.env, "FIRN_EXECUTION_ID=%s", e->id);
    strv_add(&o.env, "FIRN_API=unix://" PLACE_INSIDE "/" PLACE_SOCKET);
    int r = place_make_run(e, err);
    if (r == 0)
        r = container_create(e->firn, &o, &c, NULL, err);
    return r < 0 ? r : write_tag(c, e, NULL, 0, err);
}

int vessel_look(const struct execution *e, struct container **ret_container,
                struct container_status *ret, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    int r = container_lookup(e->firn, e->id, &c, err);
    if (r == 0)
        r = container_status(c, ret, err);
    if (r == 0 && ret_container)
        *ret_container = take_ptr(c);
    return r;
}

/* ---- bringing up ---- */

/* The worker's socket is where this host keeps such things. */
static void adapt(void *context, struct json *config)
{
    const char *api = context;
    const struct json *mounts = js_path(config, "spec", "mounts", NULL);
    JSON_FOREACH(mounts, i)
    {
        struct json *mount = js_at(mounts, i);
        if (string_equal(js_get_string(mount, "destination"), PLACE_INSIDE))
            js_set(mount, "source", js_string(api));
    }
}

/* Volumes that are here go on as they are: like all that is outside, they are not part of what is
 * taken back. Those that are not here come from the checkpoint. */
static bool has_volumes(const struct execution *e, const struct container *c)
{
    const struct json *volumes = js_get(c->config, "namedVolumes");
    JSON_FOREACH(volumes, i)
    {
        const char *name = js_get_string(js_at(volumes, i), "volumeName");
        if (name && volume_exists(e->firn->store, name, NULL) > 0)
            return true;
    }
    return false;
}

static int restore(struct execution *e, const char *path, struct error *err)
{
    _cleanup_container_ struct container *old = NULL, *c = NULL;
    _cleanup_free_ char *api = place_run(e, "api");
    struct restore_options o = {
        .import_path = path,
        .tcp_close = true,
        .file_locks = true,
        .adapt = adapt,
        .adapt_context = api,
    };
    if (container_lookup(e->firn, e->id, &old, NULL) == 0)
        o.ignore_volumes = has_volumes(e, old);
    int r = vessel_remove(e, err);
    if (r == 0)
        r = container_import(e->firn, &o, &c, NULL, err);
    if (r < 0)
        return r;
    const struct json *tag = vessel_tag(c);
    free(e->token);
    e->token = xstrdup_null(js_get_string(tag, "token"));
    e->sequence = js_get_int(tag, "sequence", 1);
    e->after = true;
    e->restores++;
    return 0;
}

/* Without a checkpoint the worker begins again, with the files it had. */
static int begin(struct execution *e, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    struct container_status s;
    struct error missing = {0};
    int r = vessel_look(e, &c, &s, &missing);
    if (r < 0 && missing.kind == ERROR_NOT_FOUND) {
        r = vessel_create(e, err);
        if (r == 0)
            r = vessel_look(e, &c, &s, err);
    } else if (r < 0 && err) {
        *err = missing;
    }
    free(take_ptr(e->token));
    return r < 0 ? r : container_start(c, err);
}

int vessel_bring_up(struct execution *e, struct error *err)
{
    _cleanup_free_ char *path = place_checkpoint(e);
    js_unref(e->locks);
    e->locks = js_array();
    int r = place_make_run(e, err);
    if (r == 0)
        r = place_make_store(e, err);
    if (r < 0)
        return r;
    return path_exists(path) ? restore(e, path, err) : begin(e, err);
}

/* ---- checkpoint ---- */

static int try_checkpoint(const struct execution *e, struct container *c, const char *path,
                          bool leave_running, struct error *err)
{
    const struct checkpoint_options o = {
        .export_path = path,
        .leave_running = leave_running,
        .tcp_close = true,
        .file_locks = true,
        .external_unix = "close",
    };
    int r = -EAGAIN;
    for (int i = 0; r < 0 && i < ATTEMPTS; i++) {
        struct container_status s;
        if (i)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        r = container_checkpoint(e->firn, c, &o, NULL, err);
        if (r < 0 && (container_status(c, &s, NULL) < 0 || s.state != CONTAINER_RUNNING))
            break;
    }
    return r;
}

int vessel_checkpoint(struct execution *e, const char *token, bool leave_running, struct error *err)
{
    _cleanup_free_ char *path = place_checkpoint(e);
    _cleanup_container_ struct container *c = NULL;
    const char *kept = token ? token : e->token;
    int r = container_lookup(e->firn, e->id, &c, err);
    if (r == 0)
        r = place_make_store(e, err);
    if (r == 0)
        r = write_tag(c, e, kept, e->sequence + 1, err);
    if (r == 0)
        r = try_checkpoint(e, c, path, leave_running, err);
    if (r < 0)
        return r;
    if (token) {
        free(e->token);
        e->token = xstrdup(token);
        e->after = false;
    }
    e->sequence++;
    e->checkpoint_at = now_ns();
    e->failures = 0;
    return execution_save(e, err);
}

/* ---- ending ---- */

int vessel_kill(const struct execution *e, int signal, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    struct container_status s;
    struct error why = {0};
    int r = vessel_look(e, &c, &s, &why);
    if (r == 0 && container_state_is_alive(s.state))
        r = container_kill(c, signal, &why);
    if (r == 0 || why.kind == ERROR_NOT_FOUND || why.kind == ERROR_STATE)
        return 0;
    if (err)
        *err = why;
    return r;
}

int vessel_remove(const struct execution *e, struct error *err)
{
    _cleanup_container_ struct container *c = NULL;
    struct error why = {0};
    int r = container_lookup(e->firn, e->id, &c, &why);
    if (r == 0)
        return container_remove(c, &(struct remove_options){.force = true}, err);
    if (why.kind == ERROR_NOT_FOUND)
        return 0;
    if (err)
        *err = why;
    return r;
}
