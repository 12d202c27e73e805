#include "container/info.h"

#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/container.h"
#include "container/runtime.h"
#include "container/state.h"
#include "store/image.h"
#include "store/registries-conf.h"
#include "store/store.h"

const char *info_architecture(const char *machine)
{
    if (string_equal(machine, "x86_64"))
        return "amd64";
    return string_equal(machine, "aarch64") ? "arm64" : machine;
}

/* ---- host ---- */

static struct json *describe_program(const char *name, const char *path)
{
    struct json *o = js_object();
    _cleanup_free_ char *version = path ? runtime_version(path) : NULL;
    const char *base = path && strrchr(path, '/') ? strrchr(path, '/') + 1 : name;
    js_set(o, "name", js_string(base));
    js_set(o, "path", js_string(path ? path : ""));
    js_set(o, "version", js_string(version ? version : ""));
    return o;
}

/* A line KEY=value or KEY="value" of /etc/os-release. The caller frees. */
static char *os_release(const char *key)
{
    _cleanup_buf_ struct buf b = {0};
    if (file_read("/etc/os-release", &b, NULL) < 0 || !b.data)
        return xstrdup("unknown");
    _cleanup_strv_ char **lines = strv_split(b.data, '\n');
    const char *value = strv_env(lines, key);
    if (!value)
        return xstrdup("unknown");
    value += *value == '"';
    return xstrndup(value, strcspn(value, "\""));
}

static struct json *describe_distribution(void)
{
    struct json *o = js_object();
    _cleanup_free_ char *id = os_release("ID"), *version = os_release("VERSION_ID");
    js_set(o, "distribution", js_string(id));
    js_set(o, "version", js_string(version));
    return o;
}

static struct json *describe_security(const struct firn *firn)
{
    struct json *o = js_object();
    js_set(o, "apparmorEnabled", js_bool(false));
    js_set(o, "rootless", js_bool(firn->rootless));
    js_set(o, "seccompEnabled", js_bool(true));
    js_set(o, "seccompProfilePath", js_string("/usr/share/containers/seccomp.json"));
    js_set(o, "selinuxEnabled", js_bool(false));
    return o;
}

static void set_memory(struct json *o)
{
    struct sysinfo s;
    if (sysinfo(&s) < 0)
        return;
    _cleanup_free_ char *uptime =
        xasprintf("%ldh %ldm %ld.00s", s.uptime / 3600, s.uptime / 60 % 60, s.uptime % 60);
    js_set(o, "memFree", js_int((int64_t)s.freeram * s.mem_unit));
    js_set(o, "memTotal", js_int((int64_t)s.totalram * s.mem_unit));
    js_set(o, "swapFree", js_int((int64_t)s.freeswap * s.mem_unit));
    js_set(o, "swapTotal", js_int((int64_t)s.totalswap * s.mem_unit));
    js_set(o, "uptime", js_string(uptime));
}

static struct json *describe_host(struct firn *firn)
{
    struct utsname u;
    struct error ignored = {0};
    uname(&u);
    struct json *o = js_object();
    js_set(o, "arch", js_string(info_architecture(u.machine)));
    js_set(o, "cgroupManager", js_string(firn->cgroup_manager));
    js_set(o, "cgroupVersion", js_string(cgroup_mode() == CGROUP_V2 ? "v2" : "v1"));
    js_set(o, "conmon", describe_program("conmon", firn_conmon(firn, &ignored)));
    js_set(o, "cpus", js_int(sysconf(_SC_NPROCESSORS_ONLN)));
    js_set(o, "distribution", describe_distribution());
    js_set(o, "eventLogger", js_string("none"));
    js_set(o, "hostname", js_string(u.nodename));
    js_set(o, "kernel", js_string(u.release));
    js_set(o, "logDriver", js_string("k8s-file"));
    js_set(o, "ociRuntime", describe_program("crun", firn_runtime(firn, &ignored)));
    js_set(o, "os", js_string("linux"));
    js_set(o, "security", describe_security(firn));
    js_set(o, "serviceIsRemote", js_bool(false));
    set_memory(o);
    return o;
}

/* ---- store ---- */

static int count_containers(struct firn *firn, struct json *store, struct error *err)
{
    _cleanup_container_list_ struct container_list list = {0};
    int64_t running = 0, paused = 0;
    int r = container_list_all(firn, &list, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.count; i++) {
        struct container_status status;
        if (container_status(list.items[i], &status, NULL) < 0)
            continue;
        running += status.state == CONTAINER_RUNNING || status.state == CONTAINER_STOPPING;
        paused += status.state == CONTAINER_PAUSED;
    }
    struct json *o = js_object();
    js_set(o, "number", js_int((int64_t)list.count));
    js_set(o, "paused", js_int(paused));
    js_set(o, "running", js_int(running));
    js_set(o, "stopped", js_int((int64_t)list.count - running - paused));
    js_set(store, "containerStore", o);
    return 0;
}

static int describe_store(struct firn *firn, struct json **ret, struct error *err)
{
    _cleanup_json_ struct json *o = js_object();
    _cleanup_image_list_ struct image_list images = {0};
    _cleanup_free_ char *volumes = path_join(firn->root, "volumes");
    int r = count_containers(firn, o, err);
    if (r >= 0)
        r = image_list(firn->store, &images, err);
    if (r < 0)
        return r;
    struct json *image_store = js_object();
    js_set(image_store, "number", js_int((int64_t)images.count));
    js_set(o, "graphDriverName", js_string("overlay"));
    js_set(o, "graphOptions", js_object());
    js_set(o, "graphRoot", js_string(firn->root));
    js_set(o, "imageStore", image_store);
    js_set(o, "runRoot", js_string(firn->runroot));
    js_set(o, "volumePath", js_string(volumes));
    *ret = take_ptr(o);
    return 0;
}

/* ---- the rest ---- */

static struct json *describe_registries(void)
{
    _cleanup_registries_conf_ struct registries_conf conf = {0};
    struct json *o = js_object();
    if (registries_conf_load(&conf, NULL) >= 0 && strv_length(conf.search))
        js_set(o, "search", js_strings(conf.search));
    return o;
}

static struct json *describe_plugins(void)
{
    static const char *const lists[][7] = {
        {"log", "k8s-file", "none"},
        {"network", "bridge", "host", "none", "pasta", "slirp4netns"},
        {"volume", "local"}};
    struct json *o = js_object();
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        js_set(o, lists[i][0], js_strings((char *const *)lists[i] + 1));
    return o;
}

static struct json *describe_version(void)
{
    struct utsname u;
    uname(&u);
    struct json *o = js_object();
    _cleanup_free_ char *os_arch = xasprintf("linux/%s", info_architecture(u.machine));
    js_set(o, "APIVersion", js_string(FIRN_VERSION));
    js_set(o, "OsArch", js_string(os_arch));
    js_set(o, "Version", js_string(FIRN_VERSION));
    return o;
}

int info_describe(struct firn *firn, struct json **ret, struct error *err)
{
    struct json *store = NULL;
    int r = describe_store(firn, &store, err);
    if (r < 0)
        return r;
    struct json *info = js_object();
    js_set(info, "host", describe_host(firn));
    js_set(info, "plugins", describe_plugins());
    js_set(info, "registries", describe_registries());
    js_set(info, "store", store);
    js_set(info, "version", describe_version());
    *ret = info;
    return 0;
}
