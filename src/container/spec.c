#include "container/spec.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/capability.h"
#include "container/cgroup.h"
#include "container/container.h"
#include "container/device.h"
#include "container/draft.h"
#include "container/firn.h"
#include "container/network.h"
#include "container/seccomp.h"
#include "container/spec-user.h"
#include "container/user.h"
#include "store/store.h"

enum { CAPABILITY_SYS_RESOURCE = 24 };

/* --- process ------------------------------------------------------------------------------- */

static bool has_variable(const struct json *env, const char *key)
{
    size_t n = strlen(key);
    JSON_FOREACH(env, i)
    {
        const char *pair = js_text(js_at(env, i));
        if (pair && strncmp(pair, key, n) == 0 && pair[n] == '=')
            return true;
    }
    return false;
}

static void add_variable(struct json *env, const char *key, const char *value)
{
    if (has_variable(env, key))
        return;
    _cleanup_free_ char *pair = xasprintf("%s=%s", key, value);
    js_push(env, js_string(pair));
}

static int fill_user(struct container *c, struct json *spec, const char *rootfs, struct error *err)
{
    const char *user = js_get_string(c->config, "user");
    _cleanup_strv_ char **groups = js_get_strings(c->config, "groups");
    _cleanup_container_user_ struct container_user u = {0};
    int r = container_user_lookup(rootfs, user ? user : "", groups, &u, err);
    if (r < 0)
        return r;
    struct json *process = js_get(spec, "process");
    container_user_store(&u, draft_object(process, "user"));
    struct json *env = js_get(process, "env");
    const char *hostname = js_get_string(spec, "hostname");
    if (!hostname)
        hostname = js_text(js_path(c->config, "firn", "hostname", NULL));
    add_variable(env, "HOME", u.home);
    add_variable(env, "HOSTNAME", hostname ? hostname : "");
    return 0;
}

static void clip_capabilities(struct json *spec)
{
    static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted",
                                       "ambient"};
    uint64_t ours = capability_bounding();
    struct json *caps = js_path(spec, "process", "capabilities", NULL);
    for (size_t i = 0; caps && i < ARRAY_LEN(sets); i++) {
        uint64_t mask = capability_mask(js_get(caps, sets[i]));
        js_set(caps, sets[i], capability_names(mask & ours));
    }
}

static int64_t clip(int64_t value, rlim_t hard)
{
    rlim_t most = hard == RLIM_INFINITY || hard > INT64_MAX ? (rlim_t)INT64_MAX : hard;
    return value < 0 || (rlim_t)value > most ? (int64_t)most : value;
}

static bool has_limit(const struct json *list, const char *type)
{
    JSON_FOREACH(list, i)
    {
        if (string_equal(js_get_string(js_at(list, i), "type"), type))
            return true;
    }
    return false;
}

/* What Podman gives, as far as we may: raising a limit above our own needs CAP_SYS_RESOURCE. */
static void fill_limits(struct container *c, struct json *spec)
{
    static const struct {
        const char *type;
        int resource;
        int64_t value;
    } defaults[] = {
        {"RLIMIT_NOFILE", RLIMIT_NOFILE, 1048576},
        {"RLIMIT_NPROC", RLIMIT_NPROC, 4194304},
    };
    struct json *process = js_get(spec, "process");
    if (!js_get(process, "rlimits"))
        js_set(process, "rlimits", js_array());
    struct json *list = js_get(process, "rlimits");
    bool host = js_bool_value(js_path(c->config, "firn", "hostUlimits", NULL));
    for (size_t i = 0; i < ARRAY_LEN(defaults) && !host; i++) {
        struct rlimit limit;
        if (has_limit(list, defaults[i].type) || getrlimit(defaults[i].resource, &limit) < 0)
            continue;
        int64_t value = clip(defaults[i].value, limit.rlim_max);
        struct json *o = js_object();
        js_set(o, "type", js_string(defaults[i].type));
        js_set(o, "hard", js_int(value));
        js_set(o, "soft", js_int(value));
        js_push(list, o);
    }
    JSON_FOREACH(list, i)
    {
        struct json *o = js_at(list, i);
        js_set(o, "hard", js_int(clip(js_get_int(o, "hard", 0), RLIM_INFINITY)));
        js_set(o, "soft", js_int(clip(js_get_int(o, "soft", 0), RLIM_INFINITY)));
    }
}

/* --- mounts -------------------------------------------------------------------------------- */

static bool has_mount(const struct json *mounts, const char *target)
{
    JSON_FOREACH(mounts, i)
    {
        if (string_equal(js_get_string(js_at(mounts, i), "destination"), target))
            return true;
    }
    return false;
}

static void add_bind(struct json *mounts, const char *source, const char *target,
                     char *const *options)
{
    struct json *o = js_object();
    js_set(o, "destination", js_string(target));
    js_set(o, "type", js_string("bind"));
    js_set(o, "source", js_string(source));
    js_set(o, "options", js_strings(options));
    js_push(mounts, o);
}

static void add_volumes(struct container *c, struct json *mounts)
{
    const struct json *volumes = js_get(c->config, "namedVolumes");
    JSON_FOREACH(volumes, i)
    {
        const struct json *v = js_at(volumes, i);
        _cleanup_free_ char *source =
            store_path(c->firn->store, "volumes/%s/_data", js_get_string(v, "volumeName"));
        _cleanup_strv_ char **options = js_get_strings(v, "options");
        _cleanup_strv_ char **kept = NULL;
        STRV_FOREACH(option, options)
        {
            if (strcmp(*option, "nocopy") != 0)
                strv_add(&kept, *option);
        }
        add_bind(mounts, source, js_get_string(v, "dest"), kept);
    }
}

static void add_own_files(struct container *c, struct json *spec, struct json *mounts)
{
    static const struct {
        const char *file, *target;
    } files[] = {
        {"resolv.conf", "/etc/resolv.conf"},
        {"hosts", "/etc/hosts"},
        {"hostname", "/etc/hostname"},
        {"containerenv", "/run/.containerenv"},
    };
    bool read_only = js_bool_value(js_path(spec, "root", "readonly", NULL));
    _cleanup_strv_ char **options =
        strv_split(read_only ? "bind,rprivate,ro,nosuid,noexec,nodev" : "bind,rprivate", ',');
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _cleanup_free_ char *source = container_path(c, files[i].file);
        if (!has_mount(mounts, files[i].target) && path_exists(source))
            add_bind(mounts, source, files[i].target, options);
    }
}

static void add_shm(struct container *c, struct json *mounts)
{
    if (has_mount(mounts, "/dev/shm"))
        return;
    bool host = string_equal(js_text(js_path(c->config, "firn", "ipc", NULL)), "host");
    _cleanup_free_ char *own = container_path(c, "shm");
    _cleanup_strv_ char **options =
        strv_split(host ? "bind,nosuid,noexec,nodev" : "bind,rprivate,nosuid,noexec,nodev", ',');
    add_bind(mounts, host ? "/dev/shm" : own, "/dev/shm", options);
}

static size_t depth(const struct json *mount)
{
    size_t n = 0;
    const char *target = js_get_string(mount, "destination");
    for (const char *p = target ? target : ""; *p; p++)
        n += *p == '/' && p[1];
    return n;
}

/* What is mounted deeper comes later, otherwise the order stays. */
static void sort_mounts(struct json *spec)
{
    struct json *from = js_get(spec, "mounts");
    struct json *to = js_array();
    size_t count = js_count(from);
    for (size_t level = 0, done = 0; done < count; level++)
        for (size_t i = 0; i < count; i++)
            if (depth(js_at(from, i)) == level) {
                js_push(to, js_ref(js_at(from, i)));
                done++;
            }
    js_set(spec, "mounts", to);
}

static void fill_mounts(struct container *c, struct json *spec)
{
    if (!js_get(spec, "mounts"))
        js_set(spec, "mounts", js_array());
    struct json *mounts = js_get(spec, "mounts");
    add_volumes(c, mounts);
    add_own_files(c, spec, mounts);
    add_shm(c, mounts);
    sort_mounts(spec);
}

/* --- linux --------------------------------------------------------------------------------- */

static int fill_seccomp(struct container *c, struct json *spec, struct error *err)
{
    const struct json *own = js_get(c->config, "firn");
    struct json *linux_part = draft_object(spec, "linux");
    const char *which = js_get_string(own, "seccomp");
    if (string_equal(which, "unconfined") || js_get(linux_part, "seccomp"))
        return 0;
    _cleanup_json_ struct json *profile = js_ref(js_get(own, "seccompProfile"));
    int r = profile ? 0 : seccomp_default_profile(&profile, err);
    if (r < 0 || !profile)
        return r;
    uint64_t caps = capability_mask(js_path(spec, "process", "capabilities", "bounding", NULL));
    struct json *filter = NULL;
    r = seccomp_make(profile, caps, &filter, err);
    if (r == 0)
        js_set(linux_part, "seccomp", filter);
    return r;
}

static int fill_devices(struct container *c, struct json *spec, struct error *err)
{
    if (js_get_bool(c->config, "mountAllDevices", false)) {
        int r = device_add_all(spec, err);
        if (r < 0)
            return r;
    }
    /* On cgroup v2 the rules are a BPF program, for which crun raises RLIMIT_MEMLOCK: without
     * CAP_SYS_RESOURCE nothing would start. */
    bool may_raise = capability_bounding() & (UINT64_C(1) << CAPABILITY_SYS_RESOURCE);
    if (cgroup_mode() == CGROUP_V2 && !may_raise)
        js_remove(js_path(spec, "linux", "resources", NULL), "devices");
    return 0;
}

/* The namespace is made and connected before the runtime joins it. */
static void fill_network(struct container *c, struct json *spec)
{
    const struct json *list = js_path(spec, "linux", "namespaces", NULL);
    _cleanup_free_ char *path = network_namespace(c);
    JSON_FOREACH(list, i)
    {
        if (path && string_equal(js_get_string(js_at(list, i), "type"), "network"))
            js_set(js_at(list, i), "path", js_string(path));
    }
}

int spec_make(struct container *c, struct json **ret, struct error *err)
{
    _cleanup_json_ struct json *spec = js_copy(js_get(c->config, "spec"));
    if (!js_get(spec, "process"))
        return error_set(err, EINVAL, "the config of container %s has no process", c->id);
    _cleanup_free_ char *rootfs = container_path(c, "merged");
    js_set(draft_object(spec, "root"), "path", js_string(rootfs));
    int r = fill_user(c, spec, rootfs, err);
    if (r < 0)
        return r;
    clip_capabilities(spec);
    fill_limits(c, spec);
    fill_mounts(c, spec);
    fill_network(c, spec);
    r = fill_seccomp(c, spec, err);
    if (r == 0)
        r = fill_devices(c, spec, err);
    if (r < 0)
        return r;
    if (cgroup_is_used(c)) {
        _cleanup_free_ char *cgroup = cgroup_spec_path(c);
        js_set(draft_object(spec, "linux"), "cgroupsPath", js_string(cgroup));
    }
    if (c->firn->rootless) {
        _cleanup_strv_ char **controllers = cgroup_controllers(c);
        spec_fit_user(spec, controllers);
    }
    *ret = take_ptr(spec);
    return 0;
}

struct json *spec_for_restore(const struct json *spec)
{
    static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted",
                                       "ambient"};
    struct json *copy = js_copy(spec);
    struct json *process = draft_object(copy, "process");
    struct json *user = draft_object(process, "user");
    js_set(user, "uid", js_int(0));
    js_set(user, "gid", js_int(0));
    js_remove(user, "additionalGids");
    struct json *caps = js_object();
    for (size_t i = 0; i < ARRAY_LEN(sets); i++)
        js_set(caps, sets[i], capability_names(capability_bounding()));
    js_set(process, "capabilities", caps);
    js_set(process, "noNewPrivileges", js_bool(false));
    js_remove(process, "apparmorProfile");
    js_remove(process, "selinuxLabel");
    js_remove(draft_object(copy, "linux"), "seccomp");
    return copy;
}
