/* Podman's SpecGenerator. */
#include "api/body.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/strv.h"

/* ["sh", "-c"] as the command line would have it. */
static int set_entrypoint(struct body *b, const struct json *v, struct error *err)
{
    char *text = js_dump(v, 0);
    strv_take(&b->texts, text);
    b->create.entrypoint = text;
    return 0;
}

/* {"nsmode": "host", "value": ""} as "host", "path:/x" or NULL. */
static const char *namespace_text(struct body *b, const struct json *v)
{
    const char *mode = js_get_string(v, "nsmode"), *value = js_get_string(v, "value");
    if (!mode || !*mode || string_equal(mode, "default"))
        return NULL;
    if (string_equal(mode, "path"))
        mode = "ns";
    return value && *value ? body_text(b, "%s:%s", mode, value) : body_text(b, "%s", mode);
}

#define NAMESPACE(name)                                                                            \
    static int set_##name(struct body *b, const struct json *v, struct error *err)                 \
    {                                                                                              \
        b->create.name = namespace_text(b, v);                                                     \
        return 0;                                                                                  \
    }
NAMESPACE(pid)
NAMESPACE(ipc)
NAMESPACE(uts)
NAMESPACE(userns)
NAMESPACE(cgroupns)

static int set_network(struct body *b, const struct json *v, struct error *err)
{
    const char *text = namespace_text(b, v);
    if (text && !b->create.networks)
        strv_add(&b->create.networks, text);
    return 0;
}

/* {"n": {"static_ips": [..], "static_mac": "", "aliases": [..]}} */
static int set_networks(struct body *b, const struct json *v, struct error *err)
{
    /* The mode "bridge" only says that there are some. */
    if (b->create.networks && string_equal(b->create.networks[0], "bridge")) {
        strv_free(b->create.networks);
        b->create.networks = NULL;
    }
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        const struct json *n = js_iter_value(it);
        const char *ip = js_text(js_at(js_get(n, "static_ips"), 0));
        const char *mac = js_get_string(n, "static_mac");
        _cleanup_strv_ char **aliases = js_get_strings(n, "aliases");
        strv_add(&b->create.networks, js_iter_key(it));
        strv_add_all(&b->create.network_aliases, aliases);
        if (ip)
            b->create.ip = body_text(b, "%s", ip);
        if (mac && *mac)
            b->create.mac_address = body_text(b, "%s", mac);
    }
    return 0;
}

static void add_range(struct buf *b, int64_t first, int64_t count)
{
    buf_printf(b, "%" PRId64, first);
    if (count > 1)
        buf_printf(b, "-%" PRId64, first + count - 1);
}

static int set_ports(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const struct json *m = js_at(v, i);
        const char *ip = js_get_string(m, "host_ip"), *protocol = js_get_string(m, "protocol");
        int64_t inside = js_get_int(m, "container_port", 0), host = js_get_int(m, "host_port", 0);
        int64_t range = js_get_int(m, "range", 1);
        _cleanup_buf_ struct buf text = {0};
        if (inside <= 0)
            return body_wrong("portmappings", err);
        if (ip && *ip)
            buf_printf(&text, strchr(ip, ':') ? "[%s]:" : "%s:", ip);
        if (host > 0)
            add_range(&text, host, range);
        if (host > 0 || text.size)
            buf_add_char(&text, ':');
        add_range(&text, inside, range);
        if (protocol && *protocol)
            buf_printf(&text, "/%s", protocol);
        strv_add(&b->create.publish, text.data);
    }
    return 0;
}

/* {"80": "tcp"} */
static int set_expose(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH_KEY((struct json *)v, it)
    {
        const char *protocol = js_text(js_iter_value(it));
        strv_addf(&b->create.expose, "%s/%s", js_iter_key(it), protocol ? protocol : "tcp");
    }
    return 0;
}

/* The client sends what the user's id maps would be also when he has asked for none. */
static int check_id_maps(struct body *b, const struct json *v, struct error *err)
{
    if (js_count(js_get(v, "UIDMap")) || js_count(js_get(v, "GIDMap")))
        return error_kind_set(err, ERROR_USAGE, "\"idmappings\" is not supported");
    return 0;
}

static const char *joined_options(struct body *b, const struct json *options)
{
    const char *text = "";
    JSON_FOREACH(options, i)
    {
        const char *one = js_text(js_at(options, i));
        if (one && *one)
            text = body_text(b, "%s%s%s", text, *text ? "," : "", one);
    }
    return text;
}

static int set_mounts(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const struct json *m = js_at(v, i);
        const char *type = js_get_string(m, "type"), *source = js_get_string(m, "source");
        const char *target = js_get_string(m, "destination");
        const char *options = joined_options(b, js_get(m, "options"));
        const char *colon = *options ? ":" : "";
        if (!target || !type)
            return body_wrong("mounts", err);
        if (string_equal(type, "tmpfs"))
            strv_addf(&b->create.tmpfs, "%s%s%s", target, colon, options);
        else if (string_equal(type, "bind") && source)
            strv_addf(&b->create.volumes, "%s:%s%s%s", source, target, colon, options);
        else
            return error_kind_set(err, ERROR_USAGE, "a mount of type \"%s\" is not supported",
                                  type);
    }
    return 0;
}

static int set_volumes(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const struct json *m = js_at(v, i);
        const char *name = js_get_string(m, "Name"), *target = js_get_string(m, "Dest");
        const char *options = joined_options(b, js_get(m, "Options"));
        const char *colon = *options ? ":" : "";
        if (!target)
            return body_wrong("volumes", err);
        if (!name || !*name || js_get_bool(m, "IsAnonymous", false))
            strv_add(&b->create.volumes, target);
        else
            strv_addf(&b->create.volumes, "%s:%s%s%s", name, target, colon, options);
    }
    return 0;
}

static int set_devices(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const char *path = js_get_string(js_at(v, i), "path");
        if (!path)
            return body_wrong("devices", err);
        strv_add(&b->create.devices, path);
    }
    return 0;
}

static int set_limits(struct body *b, const struct json *v, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const struct json *l = js_at(v, i);
        const char *type = js_get_string(l, "type");
        const char *name = type ? string_after(type, "RLIMIT_") : NULL;
        if (!type)
            return body_wrong("r_limits", err);
        _cleanup_buf_ struct buf lower = {0};
        for (const char *p = name ? name : type; *p; p++)
            buf_add_char(&lower, *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p);
        strv_addf(&b->create.ulimits, "%s=%" PRId64 ":%" PRId64, lower.data,
                  js_get_int(l, "soft", -1), js_get_int(l, "hard", -1));
    }
    return 0;
}

static int set_log(struct body *b, const struct json *v, struct error *err)
{
    const char *driver = js_get_string(v, "driver"), *path = js_get_string(v, "path");
    int64_t size = js_get_int(v, "size", 0);
    if (driver && *driver)
        b->create.log_driver = body_text(b, "%s", driver);
    if (path && *path)
        strv_addf(&b->create.log_opts, "path=%s", path);
    if (size > 0)
        strv_addf(&b->create.log_opts, "max-size=%" PRId64, size);
    JSON_FOREACH_KEY(js_get(v, "options"), it)
    {
        const char *text = js_text(js_iter_value(it));
        strv_addf(&b->create.log_opts, "%s=%s", js_iter_key(it), text ? text : "");
    }
    return 0;
}

static int set_no_new_privileges(struct body *b, const struct json *v, struct error *err)
{
    strv_addf(&b->create.security_opts, "no-new-privileges=%s",
              js_bool_value(v) ? "true" : "false");
    return js_is_bool(v) ? 0 : body_wrong("no_new_privileges", err);
}

static int set_seccomp(struct body *b, const struct json *v, struct error *err)
{
    if (!js_is_string(v))
        return body_wrong("seccomp_profile_path", err);
    strv_addf(&b->create.security_opts, "seccomp=%s", js_text(v));
    return 0;
}

static int set_masks(struct body *b, const struct json *v, const char *name, struct error *err)
{
    JSON_FOREACH(v, i)
    {
        const char *path = js_text(js_at(v, i));
        if (!path)
            return body_wrong(name, err);
        strv_addf(&b->create.security_opts, "%s=%s", name, path);
    }
    return 0;
}

static int set_mask(struct body *b, const struct json *v, struct error *err)
{
    return set_masks(b, v, "mask", err);
}

static int set_unmask(struct body *b, const struct json *v, struct error *err)
{
    return set_masks(b, v, "unmask", err);
}

/* Only what is the default anyway. */
static int check_default(const struct json *v, const char *key, const char *const *allowed,
                         struct error *err)
{
    const char *text = js_text(v);
    for (; text && *allowed; allowed++)
        if (string_equal(text, *allowed))
            return 0;
    return error_kind_set(err, ERROR_USAGE, "\"%s\": \"%s\" is not supported", key,
                          text ? text : "");
}

#define ONLY(name, key, ...)                                                                       \
    static int name(struct body *b, const struct json *v, struct error *err)                       \
    {                                                                                              \
        static const char *const allowed[] = {__VA_ARGS__, NULL};                                  \
        return check_default(v, key, allowed, err);                                                \
    }
ONLY(check_image_volumes, "image_volume_mode", "anonymous", "bind")
ONLY(check_systemd, "systemd", "true", "false")
ONLY(check_notify, "sdnotifyMode", "container", "ignore")
ONLY(check_seccomp_policy, "seccomp_policy", "default")

static const struct body_field memory[] = {
    {"limit", BODY_STRING, BODY_FIELD(memory)},
    {"reservation", BODY_STRING, BODY_FIELD(memory_reservation)},
    {"swap", BODY_STRING, BODY_FIELD(memory_swap)},
    {0},
};
static const struct body_field cpu[] = {
    {"cpus", BODY_STRING, BODY_FIELD(cpuset_cpus)},  {"mems", BODY_STRING, BODY_FIELD(cpuset_mems)},
    {"period", BODY_STRING, BODY_FIELD(cpu_period)}, {"quota", BODY_STRING, BODY_FIELD(cpu_quota)},
    {"shares", BODY_STRING, BODY_FIELD(cpu_shares)}, {0},
};
static const struct body_field pids[] = {
    {"limit", BODY_STRING, BODY_FIELD(pids_limit)},
    {0},
};
static const struct body_field resources[] = {
    {"memory", BODY_TABLE, .table = memory},
    {"cpu", BODY_TABLE, .table = cpu},
    {"pids", BODY_TABLE, .table = pids},
    {0},
};

const struct body_field body_libpod[] = {
    {"Networks", BODY_OBJECT, .set = set_networks},
    {"annotations", BODY_MAP, BODY_FIELD(annotations)},
    {"cap_add", BODY_STRINGS, BODY_FIELD(cap_add)},
    {"cap_drop", BODY_STRINGS, BODY_FIELD(cap_drop)},
    {"cgroup_parent", BODY_STRING, BODY_FIELD(cgroup_parent)},
    {"cgroupns", BODY_OBJECT, .set = set_cgroupns},
    {"cgroups_mode", BODY_STRING, BODY_FIELD(cgroups)},
    {"command", BODY_STRINGS, BODY_FIELD(command)},
    {"containerCreateCommand", BODY_STRINGS, BODY_FIELD(create_command)},
    {"devices", BODY_LIST, .set = set_devices},
    {"dns_option", BODY_STRINGS, BODY_FIELD(dns_options)},
    {"dns_search", BODY_STRINGS, BODY_FIELD(dns_search)},
    {"dns_server", BODY_STRINGS, BODY_FIELD(dns)},
    {"entrypoint", BODY_LIST, .set = set_entrypoint},
    {"env", BODY_MAP, BODY_FIELD(env)},
    {"env_host", BODY_BOOL, BODY_FIELD(env_host)},
    {"expose", BODY_OBJECT, .set = set_expose},
    {"groups", BODY_STRINGS, BODY_FIELD(group_add)},
    {"host_device_list", BODY_LIST, .set = set_devices},
    {"hostadd", BODY_STRINGS, BODY_FIELD(add_hosts)},
    {"hostname", BODY_STRING, BODY_FIELD(hostname)},
    {"httpproxy", BODY_IGNORED},
    {"idmappings", BODY_OBJECT, .set = check_id_maps},
    {"image", BODY_STRING, BODY_FIELD(image)},
    {"image_volume_mode", BODY_CUSTOM, .set = check_image_volumes},
    {"init", BODY_BOOL, BODY_FIELD(init)},
    {"init_path", BODY_STRING, BODY_FIELD(init_path)},
    {"ipcns", BODY_OBJECT, .set = set_ipc},
    {"labels", BODY_MAP, BODY_FIELD(labels)},
    {"log_configuration", BODY_OBJECT, .set = set_log},
    {"manage_password", BODY_IGNORED},
    {"mask", BODY_LIST, .set = set_mask},
    {"mounts", BODY_LIST, .set = set_mounts},
    {"name", BODY_STRING, BODY_FIELD(name)},
    {"netns", BODY_OBJECT, .set = set_network},
    {"no_new_privileges", BODY_CUSTOM, .set = set_no_new_privileges},
    {"oom_score_adj", BODY_STRING, BODY_FIELD(oom_score_adj)},
    {"pidns", BODY_OBJECT, .set = set_pid},
    {"portmappings", BODY_LIST, .set = set_ports},
    {"privileged", BODY_BOOL, BODY_FIELD(privileged)},
    {"publish_image_ports", BODY_BOOL, BODY_FIELD(publish_all)},
    {"r_limits", BODY_LIST, .set = set_limits},
    {"raw_image_name", BODY_IGNORED},
    {"read_only_filesystem", BODY_BOOL, BODY_FIELD(read_only)},
    {"remove", BODY_BOOL, BODY_FIELD(remove)},
    {"resource_limits", BODY_TABLE, .table = resources},
    {"restart_policy", BODY_STRING, BODY_FIELD(restart)},
    {"sdnotifyMode", BODY_CUSTOM, .set = check_notify},
    {"seccomp_policy", BODY_CUSTOM, .set = check_seccomp_policy},
    {"seccomp_profile_path", BODY_CUSTOM, .set = set_seccomp},
    {"shm_size", BODY_STRING, BODY_FIELD(shm_size)},
    {"stdin", BODY_BOOL, BODY_FIELD(interactive)},
    {"stop_signal", BODY_STRING, BODY_FIELD(stop_signal)},
    {"stop_timeout", BODY_STRING, BODY_FIELD(stop_timeout)},
    {"sysctl", BODY_MAP, BODY_FIELD(sysctls)},
    {"systemd", BODY_CUSTOM, .set = check_systemd},
    {"terminal", BODY_BOOL, BODY_FIELD(tty)},
    {"timezone", BODY_STRING, BODY_FIELD(timezone)},
    {"umask", BODY_STRING, BODY_FIELD(umask)},
    {"unmask", BODY_LIST, .set = set_unmask},
    {"unsetenv", BODY_STRINGS, BODY_FIELD(unset_env)},
    {"unsetenvall", BODY_BOOL, BODY_FIELD(unset_env_all)},
    {"use_image_hosts", BODY_BOOL, BODY_FIELD(no_hosts)},
    {"user", BODY_STRING, BODY_FIELD(user)},
    {"userns", BODY_OBJECT, .set = set_userns},
    {"utsns", BODY_OBJECT, .set = set_uts},
    {"volumes", BODY_LIST, .set = set_volumes},
    {"volatile", BODY_IGNORED}, /* of the writable layer: how it is synced */
    {"work_dir", BODY_STRING, BODY_FIELD(workdir)},
    {0},
};
