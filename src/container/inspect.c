#include "container/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/draft.h"
#include "container/firn.h"
#include "container/inspect-parts.h"
#include "container/mount.h"
#include "container/network.h"
#include "container/signals.h"
#include "container/state.h"
#include "store/image.h"
#include "store/layer.h"

static void set_time(struct json *o, const char *key, int64_t ns)
{
    _cleanup_free_ char *text = time_rfc3339(ns);
    js_set(o, key, js_string(text));
}

static void set_path(struct json *o, const char *key, struct container *c, const char *name)
{
    _cleanup_free_ char *path = container_path(c, name);
    js_set(o, key, js_string(path));
}

/* --- state --------------------------------------------------------------------------------- */

static struct json *make_state(struct container *c, const struct container_status *s)
{
    struct json *o = js_object();
    const struct container_facts *f = &c->facts;
    bool paused = s->state == CONTAINER_PAUSED;
    bool alive = container_state_is_alive(s->state) || s->state == CONTAINER_INITIALIZED;
    js_set(o, "OciVersion", js_string("1.0.2"));
    js_set(o, "Status", js_string(container_state_shown(s->state)));
    js_set(o, "Running", js_bool(container_state_is_alive(s->state) && !paused));
    js_set(o, "Paused", js_bool(paused));
    js_set(o, "Restarting", js_bool(false));
    js_set(o, "OOMKilled", js_bool(f->oom_killed));
    js_set(o, "Dead", js_bool(false));
    js_set(o, "Pid", js_int(alive ? s->init.pid : f->checkpointed ? f->pid : 0));
    js_set(o, "ConmonPid", js_int(alive ? s->conmon.pid : f->checkpointed ? f->conmon_pid : 0));
    js_set(o, "ExitCode", js_int(alive || s->exit_code < 0 ? 0 : s->exit_code));
    js_set(o, "Error", js_string(""));
    set_time(o, "StartedAt", f->started_at);
    set_time(o, "FinishedAt", alive ? f->finished_at : s->finished_at);
    struct json *health = js_object();
    js_set(health, "Status", js_string(""));
    js_set(health, "FailingStreak", js_int(0));
    js_set(health, "Log", js_null());
    js_set(o, "Health", health);
    _cleanup_free_ char *cgroup = cgroup_is_used(c) ? cgroup_spec_path(c) : xstrdup("");
    js_set(o, "CgroupPath", js_string(cgroup));
    set_time(o, "CheckpointedAt", f->checkpointed_at);
    set_time(o, "RestoredAt", f->restored_at);
    js_set(o, "Checkpointed", js_bool(f->checkpointed));
    js_set(o, "CheckpointPath", js_string(f->checkpoint_path ? f->checkpoint_path : ""));
    js_set(o, "CheckpointLog", js_string(f->checkpoint_log ? f->checkpoint_log : ""));
    js_set(o, "Restored", js_bool(f->restored));
    js_set(o, "RestoreLog", js_string(f->restore_log ? f->restore_log : ""));
    return o;
}

/* --- storage ------------------------------------------------------------------------------- */

static struct json *make_graph_driver(struct container *c)
{
    struct json *o = js_object(), *data = js_object();
    _cleanup_image_ struct image *image = NULL;
    _cleanup_strv_ char **lower = NULL;
    struct error ignored;
    const char *id = container_image_id(c);
    if (id && image_by_id(c->firn->store, id, &image, &ignored) == 0)
        for (size_t i = strv_length(image->layers); i-- > 0;)
            strv_take(&lower, layer_path(c->firn->store, image->layers[i]));
    _cleanup_free_ char *joined = strv_join(lower, ":");
    js_set(data, "LowerDir", js_string(joined ? joined : ""));
    _cleanup_free_ char *merged = container_mountpoint(c);
    if (merged)
        js_set(data, "MergedDir", js_string(merged));
    set_path(data, "UpperDir", c, "upper");
    set_path(data, "WorkDir", c, "work");
    js_set(o, "Name", js_string("overlay"));
    js_set(o, "Data", data);
    return o;
}

static void sizes(struct container *c, int64_t *ret_own, int64_t *ret_all)
{
    _cleanup_free_ char *upper = container_path(c, "upper");
    *ret_own = (int64_t)tree_size(upper);
    *ret_all = *ret_own;
    _cleanup_image_ struct image *image = NULL;
    struct error ignored;
    const char *id = container_image_id(c);
    if (id && image_by_id(c->firn->store, id, &image, &ignored) == 0)
        *ret_all += image->size;
}

/* --- all of it ----------------------------------------------------------------------------- */

static void add_paths(struct container *c, struct json *o)
{
    set_path(o, "ResolvConfPath", c, "resolv.conf");
    set_path(o, "HostnamePath", c, "hostname");
    set_path(o, "HostsPath", c, "hosts");
    js_set(o, "StaticDir", js_string(c->directory));
    set_path(o, "OCIConfigPath", c, "config.json");
    const char *runtime = js_get_string(c->config, "runtime");
    js_set(o, "OCIRuntime", js_string(runtime ? runtime : "crun"));
    _cleanup_free_ char *conmon = container_run_path(c, "conmon.pid");
    _cleanup_free_ char *pid = container_run_path(c, "pidfile");
    js_set(o, "ConmonPidFile", js_string(conmon));
    js_set(o, "PidFile", js_string(pid));
}

static void add_command(struct container *c, struct json *o)
{
    _cleanup_strv_ char **command = container_command(c);
    js_set(o, "Path", js_string(command && command[0] ? command[0] : ""));
    js_set(o, "Args", js_strings(command && command[0] ? command + 1 : NULL));
}

static struct json *copy_or_empty(const struct json *v)
{
    return v ? js_copy(v) : js_array();
}

static void add_security(struct container *c, struct json *o)
{
    const struct json *caps = js_path(c->config, "spec", "process", "capabilities", NULL);
    js_set(o, "MountLabel", js_string(""));
    js_set(o, "ProcessLabel", js_string(""));
    js_set(o, "AppArmorProfile", js_string(""));
    js_set(o, "EffectiveCaps", copy_or_empty(js_get(caps, "effective")));
    js_set(o, "BoundingCaps", copy_or_empty(js_get(caps, "bounding")));
}

int container_inspect(struct container *c, bool size, struct json **ret, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    _cleanup_json_ struct json *o = js_object();
    js_set(o, "Id", js_string(c->id));
    set_time(o, "Created", c->created_at);
    add_command(c, o);
    js_set(o, "State", make_state(c, &s));
    js_set(o, "Image", js_string(container_image_id(c)));
    js_set(o, "ImageName", js_string(container_image_name(c)));
    js_set(o, "Rootfs", js_string(""));
    js_set(o, "Pod", js_string(""));
    add_paths(c, o);
    js_set(o, "Name", js_string(c->name));
    js_set(o, "RestartCount", js_int(0));
    js_set(o, "Driver", js_string("overlay"));
    add_security(c, o);
    js_set(o, "ExecIDs", js_array());
    js_set(o, "GraphDriver", make_graph_driver(c));
    if (size) {
        int64_t own, all;
        sizes(c, &own, &all);
        js_set(o, "SizeRw", js_int(own));
        js_set(o, "SizeRootFs", js_int(all));
    }
    js_set(o, "Mounts", inspect_mounts(c));
    js_set(o, "Dependencies", js_array());
    js_set(o, "NetworkSettings", network_settings(c));
    js_set(o, "Namespace", js_string(""));
    js_set(o, "IsInfra", js_bool(false));
    js_set(o, "IsService", js_bool(false));
    js_set(o, "Config", inspect_config(c));
    js_set(o, "HostConfig", inspect_host_config(c));
    *ret = take_ptr(o);
    return 0;
}

/* --- ps ------------------------------------------------------------------------------------ */

static int64_t unix_seconds(int64_t ns)
{
    return ns ? ns / 1000000000 : INT64_C(-62135596800);
}

static struct json *mount_targets(struct container *c)
{
    _cleanup_json_ struct json *mounts = inspect_mounts(c);
    struct json *list = js_array();
    JSON_FOREACH(mounts, i)
    {
        js_push(list, js_string(js_get_string(js_at(mounts, i), "Destination")));
    }
    return list;
}

static void add_ps_state(struct container *c, const struct container_status *s, struct json *o)
{
    bool alive = container_state_is_alive(s->state) || s->state == CONTAINER_INITIALIZED;
    bool ended = s->state == CONTAINER_STOPPED || s->state == CONTAINER_EXITED;
    _cleanup_free_ char *text = container_status_text(s);
    js_set(o, "Exited", js_bool(ended));
    js_set(o, "ExitedAt", js_int(unix_seconds(alive ? 0 : s->finished_at)));
    js_set(o, "ExitCode", js_int(ended && s->exit_code >= 0 ? s->exit_code : 0));
    js_set(o, "Pid", js_int(alive ? s->init.pid : 0));
    js_set(o, "StartedAt", js_int(unix_seconds(s->started_at)));
    js_set(o, "State", js_string(container_state_shown(s->state)));
    js_set(o, "Status", js_string(text));
}

int container_ps_entry(struct container *c, bool size, struct json **ret, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    _cleanup_json_ struct json *o = js_object();
    _cleanup_free_ char *age = duration_human(now_ns() - c->created_at);
    _cleanup_free_ char *created = xasprintf("%s ago", age);
    _cleanup_strv_ char **command = container_command(c);
    js_set(o, "AutoRemove", js_bool(container_auto_removes(c)));
    js_set(o, "Command", js_strings(command));
    js_set(o, "CreatedAt", js_string(created));
    add_ps_state(c, &s, o);
    js_set(o, "Id", js_string(c->id));
    js_set(o, "Image", js_string(container_image_name(c)));
    js_set(o, "ImageID", js_string(container_image_id(c)));
    js_set(o, "IsInfra", js_bool(false));
    struct json *labels = container_labels(c);
    js_set(o, "Labels", labels ? js_copy(labels) : js_null());
    js_set(o, "Mounts", mount_targets(c));
    js_set(o, "Names", js_strings((char *const[]){c->name, NULL}));
    js_set(o, "Namespaces", js_object());
    js_set(o, "Networks", network_names(c));
    js_set(o, "Pod", js_string(""));
    js_set(o, "PodName", js_string(""));
    const struct json *ports = js_get(c->config, "newPortMappings");
    js_set(o, "Ports", ports ? js_copy(ports) : js_null());
    js_set(o, "Restarts", js_int(0));
    js_set(o, "Size", js_null());
    if (size) {
        int64_t own, all;
        sizes(c, &own, &all);
        struct json *both = js_object();
        js_set(both, "rootFsSize", js_int(all));
        js_set(both, "rwSize", js_int(own));
        js_set(o, "Size", both);
    }
    js_set(o, "Created", js_int(c->created_at / 1000000000));
    *ret = take_ptr(o);
    return 0;
}
