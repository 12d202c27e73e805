#include "container/inspect-parts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/firn.h"
#include "container/port.h"
#include "container/signals.h"
#include "store/store.h"

/* What firn has no notion of, but readers of Podman's output look for. */
static const char host_constants[] =
    "{\"Binds\":[],\"CgroupManager\":\"\",\"CgroupMode\":\"private\",\"ContainerIDFile\":\"\","
    "\"LogConfig\":{\"Type\":\"k8s-file\",\"Config\":null,\"Path\":\"\",\"Tag\":\"\","
    "\"Size\":\"0B\"},\"NetworkMode\":\"host\",\"PortBindings\":{},"
    "\"RestartPolicy\":{\"Name\":\"\",\"MaximumRetryCount\":0},\"AutoRemove\":false,"
    "\"VolumeDriver\":\"\",\"VolumesFrom\":null,\"CapAdd\":[],\"CapDrop\":[],\"Dns\":[],"
    "\"DnsOptions\":[],\"DnsSearch\":[],\"ExtraHosts\":[],\"GroupAdd\":[],"
    "\"IpcMode\":\"shareable\",\"Cgroup\":\"\",\"Cgroups\":\"default\",\"Links\":null,"
    "\"OomScoreAdj\":0,\"PidMode\":\"private\",\"Privileged\":false,\"PublishAllPorts\":false,"
    "\"ReadonlyRootfs\":false,\"SecurityOpt\":[],\"Tmpfs\":{},\"UTSMode\":\"private\","
    "\"UsernsMode\":\"\",\"ShmSize\":65536000,\"Runtime\":\"oci\",\"ConsoleSize\":[0,0],"
    "\"Isolation\":\"\",\"CpuShares\":0,\"Memory\":0,\"NanoCpus\":0,\"CgroupParent\":\"\","
    "\"BlkioWeight\":0,\"BlkioWeightDevice\":null,\"BlkioDeviceReadBps\":null,"
    "\"BlkioDeviceWriteBps\":null,\"BlkioDeviceReadIOps\":null,\"BlkioDeviceWriteIOps\":null,"
    "\"CpuPeriod\":0,\"CpuQuota\":0,\"CpuRealtimePeriod\":0,\"CpuRealtimeRuntime\":0,"
    "\"CpusetCpus\":\"\",\"CpusetMems\":\"\",\"Devices\":[],\"DiskQuota\":0,\"KernelMemory\":0,"
    "\"MemoryReservation\":0,\"MemorySwap\":0,\"MemorySwappiness\":0,\"OomKillDisable\":false,"
    "\"PidsLimit\":0,\"Ulimits\":[],\"CpuCount\":0,\"CpuPercent\":0,\"IOMaximumIOps\":0,"
    "\"IOMaximumBandwidth\":0,\"CgroupConf\":null}";

static struct json *constants(const char *text)
{
    struct json *o = NULL;
    struct error ignored;
    if (js_parse(text, strlen(text), "constants", &o, &ignored) < 0)
        return js_object();
    return o;
}

/* --- mounts -------------------------------------------------------------------------------- */

static bool has_option(const struct json *options, const char *name)
{
    JSON_FOREACH(options, i)
    {
        if (string_equal(js_text(js_at(options, i)), name))
            return true;
    }
    return false;
}

static const char *propagation(const struct json *options)
{
    static const char *const all[] = {"rprivate", "private", "rshared",
                                      "shared",   "rslave",  "slave"};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (has_option(options, all[i]))
            return all[i];
    return "rprivate";
}

static struct json *make_mount(const char *type, const char *name, const char *source,
                               const char *target, const struct json *options)
{
    static const char *const shown[] = {"nosuid", "nodev", "noexec", "bind", "rbind"};
    struct json *o = js_object(), *list = js_array();
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        if (has_option(options, shown[i]))
            js_push(list, js_string(shown[i]));
    js_set(o, "Type", js_string(type));
    if (name)
        js_set(o, "Name", js_string(name));
    js_set(o, "Source", js_string(source));
    js_set(o, "Destination", js_string(target));
    js_set(o, "Driver", js_string(name ? "local" : ""));
    js_set(o, "Mode", js_string(""));
    js_set(o, "Options", list);
    js_set(o, "RW", js_bool(!has_option(options, "ro")));
    js_set(o, "Propagation", js_string(propagation(options)));
    return o;
}

static bool asked_for(struct container *c, const char *target)
{
    return has_option(js_get(c->config, "userVolumes"), target);
}

struct json *inspect_mounts(struct container *c)
{
    struct json *list = js_array();
    const struct json *volumes = js_get(c->config, "namedVolumes");
    JSON_FOREACH(volumes, i)
    {
        const struct json *v = js_at(volumes, i);
        const char *name = js_get_string(v, "volumeName");
        _cleanup_free_ char *source = store_path(c->firn->store, "volumes/%s/_data", name);
        js_push(list,
                make_mount("volume", name, source, js_get_string(v, "dest"), js_get(v, "options")));
    }
    const struct json *mounts = js_path(c->config, "spec", "mounts", NULL);
    JSON_FOREACH(mounts, i)
    {
        const struct json *m = js_at(mounts, i);
        const char *target = js_get_string(m, "destination");
        if (string_equal(js_get_string(m, "type"), "bind") && asked_for(c, target))
            js_push(list, make_mount("bind", NULL, js_get_string(m, "source"), target,
                                     js_get(m, "options")));
    }
    return list;
}

static struct json *make_binds(struct container *c)
{
    _cleanup_json_ struct json *mounts = inspect_mounts(c);
    struct json *list = js_array();
    JSON_FOREACH(mounts, i)
    {
        const struct json *m = js_at(mounts, i);
        const char *name = js_get_string(m, "Name");
        _cleanup_free_ char *options =
            strv_join((char *const[]){(char *)(js_get_bool(m, "RW", true) ? "rw" : "ro"),
                                      (char *)js_get_string(m, "Propagation"), NULL},
                      ",");
        _cleanup_free_ char *text = xasprintf("%s:%s:%s", name ? name : js_get_string(m, "Source"),
                                              js_get_string(m, "Destination"), options);
        js_push(list, js_string(text));
    }
    return list;
}

static struct json *make_tmpfs(struct container *c)
{
    struct json *o = js_object();
    const struct json *mounts = js_path(c->config, "spec", "mounts", NULL);
    JSON_FOREACH(mounts, i)
    {
        const struct json *m = js_at(mounts, i);
        const char *target = js_get_string(m, "destination");
        if (!string_equal(js_get_string(m, "type"), "tmpfs") || !asked_for(c, target))
            continue;
        _cleanup_strv_ char **options = js_get_strings(m, "options");
        _cleanup_free_ char *joined = strv_join(options, ",");
        js_set(o, target, js_string(joined ? joined : ""));
    }
    return o;
}

/* --- the other parts ----------------------------------------------------------------------- */

static void set_copy(struct json *o, const char *key, const struct json *v)
{
    if (v)
        js_set(o, key, js_copy(v));
}

static void set_text(struct json *o, const char *key, const char *text)
{
    js_set(o, key, js_string(text ? text : ""));
}

struct json *inspect_config(struct container *c)
{
    struct json *o = js_object();
    const struct json *process = js_path(c->config, "spec", "process", NULL);
    bool input = container_has_stdin(c);
    set_text(o, "Hostname", container_hostname(c));
    set_text(o, "Domainname", "");
    set_text(o, "User", js_get_string(c->config, "user"));
    js_set(o, "AttachStdin", js_bool(false));
    js_set(o, "AttachStdout", js_bool(false));
    js_set(o, "AttachStderr", js_bool(false));
    js_set(o, "Tty", js_bool(container_has_tty(c)));
    js_set(o, "OpenStdin", js_bool(input));
    js_set(o, "StdinOnce", js_bool(false));
    js_set(o, "Env", js_array());
    set_copy(o, "Env", js_get(process, "env"));
    js_set(o, "Cmd", js_null());
    set_copy(o, "Cmd", js_get(c->config, "command"));
    set_text(o, "Image", container_image_name(c));
    js_set(o, "Volumes", js_null());
    set_text(o, "WorkingDir", js_get_string(process, "cwd"));
    js_set(o, "Entrypoint", js_null());
    set_copy(o, "Entrypoint", js_get(c->config, "entrypoint"));
    js_set(o, "OnBuild", js_null());
    js_set(o, "Labels", js_null());
    set_copy(o, "Labels", container_labels(c));
    set_copy(o, "Annotations", js_path(c->config, "spec", "annotations", NULL));
    set_text(o, "StopSignal", signal_name(container_stop_signal(c)));
    js_set(o, "CreateCommand", js_array());
    set_copy(o, "CreateCommand", js_get(c->config, "CreateCommand"));
    set_text(o, "Umask", js_get_string(c->config, "umask"));
    js_set(o, "Timeout", js_int(0));
    js_set(o, "StopTimeout", js_int(container_stop_timeout(c)));
    js_set(o, "Passwd", js_bool(true));
    return o;
}

static void add_resources(struct container *c, struct json *o)
{
    const struct json *all = js_path(c->config, "spec", "linux", "resources", NULL);
    const struct json *cpu = js_get(all, "cpu"), *memory = js_get(all, "memory");
    const struct {
        const char *key;
        const struct json *from;
        const char *source;
    } values[] = {
        {"CpuShares", cpu, "shares"},
        {"CpuPeriod", cpu, "period"},
        {"CpuQuota", cpu, "quota"},
        {"CpusetCpus", cpu, "cpus"},
        {"CpusetMems", cpu, "mems"},
        {"Memory", memory, "limit"},
        {"MemorySwap", memory, "swap"},
        {"MemoryReservation", memory, "reservation"},
        {"PidsLimit", js_get(all, "pids"), "limit"},
    };
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        set_copy(o, values[i].key, js_get(values[i].from, values[i].source));
    int64_t quota = js_get_int(cpu, "quota", 0), period = js_get_int(cpu, "period", 0);
    if (quota > 0 && period > 0)
        js_set(o, "NanoCpus", js_int(quota * INT64_C(1000000000) / period));
}

static void add_modes(struct container *c, struct json *o)
{
    const struct json *own = js_get(c->config, "firn");
    const struct {
        const char *key, *source;
    } modes[] = {
        {"IpcMode", "ipc"}, {"PidMode", "pid"}, {"UTSMode", "uts"}, {"CgroupMode", "cgroupns"}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        set_copy(o, modes[i].key, js_get(own, modes[i].source));
    set_copy(o, "NetworkMode", js_get(c->config, "networkMode"));
}

struct json *inspect_host_config(struct container *c)
{
    struct json *o = constants(host_constants);
    js_set(o, "Binds", make_binds(c));
    js_set(o, "Tmpfs", make_tmpfs(c));
    set_copy(o, "CgroupManager", js_get(c->config, "cgroupManager"));
    struct json *log = js_get(o, "LogConfig");
    _cleanup_free_ char *path = container_log_path(c);
    set_text(log, "Type", container_log_driver(c));
    set_text(log, "Path", path);
    add_modes(c, o);
    js_set(o, "PortBindings", ports_bindings(js_get(c->config, "newPortMappings")));
    js_set(o, "AutoRemove", js_bool(container_auto_removes(c)));
    set_copy(o, "Dns", js_get(c->config, "dnsServer"));
    set_copy(o, "DnsOptions", js_get(c->config, "dnsOption"));
    set_copy(o, "DnsSearch", js_get(c->config, "dnsSearch"));
    set_copy(o, "ExtraHosts", js_get(c->config, "hostsAdd"));
    set_copy(o, "GroupAdd", js_get(c->config, "groups"));
    set_copy(o, "Privileged", js_get(c->config, "privileged"));
    set_copy(o, "ReadonlyRootfs", js_path(c->config, "spec", "root", "readonly", NULL));
    set_copy(o, "ShmSize", js_get(c->config, "shmSize"));
    set_copy(o, "CgroupParent", js_get(c->config, "cgroupParent"));
    set_copy(o, "OomScoreAdj", js_path(c->config, "spec", "process", "oomScoreAdj", NULL));
    add_resources(c, o);
    return o;
}
