/* Docker's Config, with its HostConfig. */
#include "api/body.h"

#include <inttypes.h>
#include <string.h>

#include "base/strv.h"

static int set_entrypoint(struct body *b, const struct json *v, struct error *err)
{
    if (!js_is_array(v) && !js_is_string(v))
        return body_wrong("Entrypoint", err);
    char *text = js_dump(v, 0);
    strv_take(&b->texts, text);
    b->create.entrypoint = js_is_string(v) ? body_text(b, "%s", js_text(v)) : text;
    return 0;
}

static int set_network(struct body *b, const struct json *v, struct error *err)
{
    const char *mode = js_text(v);
    if (!mode)
        return body_wrong("NetworkMode", err);
    if (!string_equal(mode, "default") && !strv_contains(b->create.networks, mode))
        strv_add(&b->create.networks, mode);
    return 0;
}

/* {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]} */
static int set_ports(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        const struct json *list = js_iter_value(it);
        if (!js_count(list))
            strv_add(&b->create.publish, js_iter_key(it));
        JSON_FOREACH(list, i)
        {
            const char *ip = js_get_string(js_at(list, i), "HostIp");
            const char *port = js_get_string(js_at(list, i), "HostPort");
            bool has_ip = ip && *ip, has_port = port && *port && !string_equal(port, "0");
            bool six = has_ip && strchr(ip, ':');
            strv_addf(&b->create.publish, "%s%s%s%s%s%s%s", six ? "[" : "", has_ip ? ip : "",
                      six ? "]" : "", has_ip ? ":" : "", has_port ? port : "",
                      has_port || has_ip ? ":" : "", js_iter_key(it));
        }
    }
    return 0;
}

static int set_exposed(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        strv_add(&b->create.expose, js_iter_key(it));
    }
    return 0;
}

/* {"EndpointsConfig": {"n": {"Aliases": [..], "IPAMConfig": {"IPv4Address": ""}}}} */
static int set_endpoints(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH_KEY((struct json *)js_get(v, "EndpointsConfig"), it)
    {
        const char *name = js_iter_key(it);
        const struct json *n = js_iter_value(it);
        const char *ip = js_get_string(js_get(n, "IPAMConfig"), "IPv4Address");
        const char *mac = js_get_string(n, "MacAddress");
        _cleanup_strv_ char **aliases = js_get_strings(n, "Aliases");
        if (!string_equal(name, "default") && !strv_contains(b->create.networks, name))
            strv_add(&b->create.networks, name);
        strv_add_all(&b->create.network_aliases, aliases);
        if (ip && *ip)
            b->create.ip = body_text(b, "%s", ip);
        if (mac && *mac)
            b->create.mac_address = body_text(b, "%s", mac);
    }
    return 0;
}

/* The keys of an object: {"/data": {}}. */
static int set_image_volumes(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        strv_add(&b->create.volumes, js_iter_key(it));
    }
    return 0;
}

static int set_mounts(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const struct json *m = js_at(v, i);
        const char *type = js_get_string(m, "Type"), *source = js_get_string(m, "Source");
        const char *target = js_get_string(m, "Target");
        const char *mode = js_get_bool(m, "ReadOnly", false) ? ":ro" : "";
        if (!type || !target)
            return body_wrong("Mounts", err);
        if (string_equal(type, "tmpfs"))
            strv_addf(&b->create.tmpfs, "%s%s", target, mode);
        else if (string_equal(type, "volume") && (!source || !*source))
            strv_add(&b->create.volumes, target);
        else if ((string_equal(type, "volume") || string_equal(type, "bind")) && source)
            strv_addf(&b->create.volumes, "%s:%s%s", source, target, mode);
        else
            return error_kind_set(err, ERROR_USAGE, "a mount of type \"%s\" is not supported",
                                  type);
    }
    return 0;
}

static int set_tmpfs(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        const char *options = js_text(js_iter_value(it));
        strv_addf(&b->create.tmpfs, "%s%s%s", js_iter_key(it), options && *options ? ":" : "",
                  options ? options : "");
    }
    return 0;
}

static int set_cpus(struct body *b, const struct json *v, struct error *err)
{
    if (!js_is_int(v))
        return body_wrong("NanoCpus", err);
    int64_t n = js_int_value(v);
    b->create.cpus = body_text(b, "%" PRId64 ".%09" PRId64, n / 1000000000, n % 1000000000);
    return 0;
}

static int set_ulimits(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const struct json *l = js_at(v, i);
        const char *name = js_get_string(l, "Name");
        if (!name)
            return body_wrong("Ulimits", err);
        strv_addf(&b->create.ulimits, "%s=%" PRId64 ":%" PRId64, name, js_get_int(l, "Soft", -1),
                  js_get_int(l, "Hard", -1));
    }
    return 0;
}

static int set_devices(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const struct json *d = js_at(v, i);
        const char *host = js_get_string(d, "PathOnHost");
        const char *inside = js_get_string(d, "PathInContainer");
        const char *rights = js_get_string(d, "CgroupPermissions");
        if (!host)
            return body_wrong("Devices", err);
        strv_addf(&b->create.devices, "%s:%s:%s", host, inside && *inside ? inside : host,
                  rights && *rights ? rights : "rwm");
    }
    return 0;
}

static int set_restart(struct body *b, const struct json *v, struct error *err)
{
    const char *name = js_get_string(v, "Name");
    if (name && *name && !string_equal(name, "no"))
        b->create.restart = body_text(b, "%s", name);
    return 0;
}

static int set_log(struct body *b, const struct json *v, struct error *err)
{
    const char *type = js_get_string(v, "Type");
    if (type && *type)
        b->create.log_driver = body_text(b, "%s", type);
    JSON_FOREACH_KEY(js_get(v, "Config"), it)
    {
        const char *text = js_text(js_iter_value(it));
        strv_addf(&b->create.log_opts, "%s=%s", js_iter_key(it), text ? text : "");
    }
    return 0;
}

/* -1: as it is. */
static int check_swappiness(struct body *b, const struct json *v, struct error *err)
{
    if (js_is_int(v) && js_int_value(v) == -1)
        return 0;
    return error_kind_set(err, ERROR_USAGE, "\"MemorySwappiness\" is not supported");
}

static const struct body_field host_config[] = {
    {"Annotations", BODY_MAP, BODY_FIELD(annotations)},
    {"AutoRemove", BODY_BOOL, BODY_FIELD(remove)},
    {"Binds", BODY_STRINGS, BODY_FIELD(volumes)},
    {"CapAdd", BODY_STRINGS, BODY_FIELD(cap_add)},
    {"CapDrop", BODY_STRINGS, BODY_FIELD(cap_drop)},
    {"CgroupParent", BODY_STRING, BODY_FIELD(cgroup_parent)},
    {"CgroupnsMode", BODY_STRING, BODY_FIELD(cgroupns)},
    {"ConsoleSize", BODY_IGNORED},
    {"CpuPeriod", BODY_STRING, BODY_FIELD(cpu_period)},
    {"CpuQuota", BODY_STRING, BODY_FIELD(cpu_quota)},
    {"CpuShares", BODY_STRING, BODY_FIELD(cpu_shares)},
    {"CpusetCpus", BODY_STRING, BODY_FIELD(cpuset_cpus)},
    {"CpusetMems", BODY_STRING, BODY_FIELD(cpuset_mems)},
    {"Devices", BODY_LIST, .set = set_devices},
    {"Dns", BODY_STRINGS, BODY_FIELD(dns)},
    {"DnsOptions", BODY_STRINGS, BODY_FIELD(dns_options)},
    {"DnsSearch", BODY_STRINGS, BODY_FIELD(dns_search)},
    {"ExtraHosts", BODY_STRINGS, BODY_FIELD(add_hosts)},
    {"GroupAdd", BODY_STRINGS, BODY_FIELD(group_add)},
    {"Init", BODY_BOOL, BODY_FIELD(init)},
    {"IpcMode", BODY_STRING, BODY_FIELD(ipc)},
    {"LogConfig", BODY_OBJECT, .set = set_log},
    {"Memory", BODY_STRING, BODY_FIELD(memory)},
    {"MemoryReservation", BODY_STRING, BODY_FIELD(memory_reservation)},
    {"MemorySwap", BODY_STRING, BODY_FIELD(memory_swap)},
    {"MemorySwappiness", BODY_CUSTOM, .set = check_swappiness},
    {"Mounts", BODY_LIST, .set = set_mounts},
    {"NanoCpus", BODY_CUSTOM, .set = set_cpus},
    {"NetworkMode", BODY_CUSTOM, .set = set_network},
    {"OomScoreAdj", BODY_STRING, BODY_FIELD(oom_score_adj)},
    {"PidMode", BODY_STRING, BODY_FIELD(pid)},
    {"PidsLimit", BODY_STRING, BODY_FIELD(pids_limit)},
    {"PortBindings", BODY_OBJECT, .set = set_ports},
    {"Privileged", BODY_BOOL, BODY_FIELD(privileged)},
    {"PublishAllPorts", BODY_BOOL, BODY_FIELD(publish_all)},
    {"ReadonlyRootfs", BODY_BOOL, BODY_FIELD(read_only)},
    {"RestartPolicy", BODY_OBJECT, .set = set_restart},
    {"SecurityOpt", BODY_STRINGS, BODY_FIELD(security_opts)},
    {"ShmSize", BODY_STRING, BODY_FIELD(shm_size)},
    {"Sysctls", BODY_MAP, BODY_FIELD(sysctls)},
    {"Tmpfs", BODY_OBJECT, .set = set_tmpfs},
    {"UTSMode", BODY_STRING, BODY_FIELD(uts)},
    {"Ulimits", BODY_LIST, .set = set_ulimits},
    {"UsernsMode", BODY_STRING, BODY_FIELD(userns)},
    {0},
};

const struct body_field body_docker[] = {
    {"AttachStderr", BODY_IGNORED},
    {"AttachStdin", BODY_IGNORED},
    {"AttachStdout", BODY_IGNORED},
    {"Cmd", BODY_STRINGS, BODY_FIELD(command)},
    {"Entrypoint", BODY_CUSTOM, .set = set_entrypoint},
    {"Env", BODY_STRINGS, BODY_FIELD(env)},
    {"ExposedPorts", BODY_OBJECT, .set = set_exposed},
    {"HostConfig", BODY_TABLE, .table = host_config},
    {"Hostname", BODY_STRING, BODY_FIELD(hostname)},
    {"Image", BODY_STRING, BODY_FIELD(image)},
    {"Labels", BODY_MAP, BODY_FIELD(labels)},
    {"MacAddress", BODY_STRING, BODY_FIELD(mac_address)},
    {"NetworkingConfig", BODY_OBJECT, .set = set_endpoints},
    {"OpenStdin", BODY_BOOL, BODY_FIELD(interactive)},
    {"StdinOnce", BODY_IGNORED},
    {"StopSignal", BODY_STRING, BODY_FIELD(stop_signal)},
    {"StopTimeout", BODY_STRING, BODY_FIELD(stop_timeout)},
    {"Tty", BODY_BOOL, BODY_FIELD(tty)},
    {"User", BODY_STRING, BODY_FIELD(user)},
    {"Volumes", BODY_OBJECT, .set = set_image_volumes},
    {"WorkingDir", BODY_STRING, BODY_FIELD(workdir)},
    {0},
};
