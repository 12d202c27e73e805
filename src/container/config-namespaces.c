/* What the container has of its own, and what it shares with the host. */
#include "container/draft.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "container/firn.h"

static void add_namespace(struct draft *d, const char *type)
{
    struct json *linux_part = draft_object(d->spec, "linux");
    struct json *list = js_get(linux_part, "namespaces");
    if (!list) {
        js_set(linux_part, "namespaces", js_array());
        list = js_get(linux_part, "namespaces");
    }
    struct json *o = js_object();
    js_set(o, "type", js_string(type));
    js_push(list, o);
}

/* `host` adds nothing, `private` adds the namespace; the rest is not there yet. */
static int draft_namespace(struct draft *d, const char *option, const char *value, const char *type,
                           struct error *err)
{
    bool own = !value || !*value || strcmp(value, "private") == 0 ||
               (strcmp(option, "ipc") == 0 && strcmp(value, "shareable") == 0);
    if (own)
        add_namespace(d, type);
    else if (strcmp(value, "host") != 0)
        return error_kind_set(err, ERROR_USAGE, "--%s %s is not supported: use private or host",
                              option, value);
    js_set(d->own, option, js_string(own ? "private" : "host"));
    return 0;
}

static int draft_hostname(struct draft *d, struct error *err)
{
    const char *name = d->options->hostname;
    bool shares_uts = string_equal(js_get_string(d->own, "uts"), "host");
    if (name && shares_uts)
        return error_kind_set(err, ERROR_USAGE,
                              "cannot set hostname when running in the host UTS namespace: invalid "
                              "configuration");
    if (name && strlen(name) > 64)
        return error_kind_set(err, ERROR_USAGE, "hostname \"%s\" is longer than 64 characters",
                              name);
    char host[65] = "";
    bool shares_network = string_equal(js_get_string(d->config, "networkMode"), "host");
    if (!name && (shares_network || shares_uts) && gethostname(host, sizeof(host) - 1) == 0)
        name = host;
    _cleanup_free_ char *short_id = xstrndup(js_get_string(d->config, "id"), 12);
    if (!name || !*name)
        name = short_id;
    js_set(d->own, "hostnameGiven", js_bool(d->options->hostname));
    /* In the host's UTS namespace the runtime must not set it. */
    if (shares_uts)
        js_set(d->own, "hostname", js_string(name));
    else
        js_set(d->spec, "hostname", js_string(name));
    return 0;
}

static bool sysctl_allowed(struct draft *d, const char *key, const char **ret_namespace)
{
    static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                      "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                      "kernel.shmmni", "kernel.shm_rmid_forced"};
    for (size_t i = 0; i < ARRAY_LEN(ipc); i++)
        if (strcmp(ipc[i], key) == 0 || string_starts(key, "fs.mqueue.")) {
            *ret_namespace = "IPC";
            return string_equal(js_get_string(d->own, "ipc"), "private");
        }
    if (string_starts(key, "net.")) {
        *ret_namespace = "network";
        return !string_equal(js_get_string(d->config, "networkMode"), "host");
    }
    if (strcmp(key, "kernel.domainname") == 0) {
        *ret_namespace = "UTS";
        return string_equal(js_get_string(d->own, "uts"), "private");
    }
    *ret_namespace = NULL;
    return false;
}

static int draft_sysctls(struct draft *d, struct error *err)
{
    struct json *linux_part = draft_object(d->spec, "linux");
    struct json *o = draft_object(linux_part, "sysctl");
    if (!string_equal(js_get_string(d->config, "networkMode"), "host"))
        js_set(o, "net.ipv4.ping_group_range", js_string("0 0"));
    STRV_FOREACH(option, d->options->sysctls)
    {
        _cleanup_free_ char *key = NULL;
        const char *value = option_split(*option, &key);
        const char *namespace = NULL;
        if (!value)
            return error_kind_set(err, ERROR_USAGE,
                                  "%s is invalid, sysctl values must be in the form of KEY=VALUE",
                                  *option);
        bool allowed = sysctl_allowed(d, key, &namespace);
        if (!namespace)
            return error_kind_set(err, ERROR_USAGE, "sysctl '%s' is not allowed", *option);
        if (!allowed)
            return error_kind_set(err, ERROR_USAGE,
                                  "sysctl %s=%s can't be set since %s Namespace set to host: "
                                  "invalid argument",
                                  key, value, namespace);
        js_set(o, key, js_string(value));
    }
    return 0;
}

int draft_namespaces(struct draft *d, struct error *err)
{
    const struct create_options *o = d->options;
    if (o->userns && *o->userns && strcmp(o->userns, "host") != 0)
        return error_kind_set(err, ERROR_USAGE, "--userns %s is not supported: use host",
                              o->userns);
    const struct {
        const char *option, *value, *type;
    } all[] = {
        {"pid", o->pid, "pid"},
        {"ipc", o->ipc, "ipc"},
        {"uts", o->uts, "uts"},
        {"cgroupns", o->cgroupns, "cgroup"},
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(all) && r == 0; i++)
        r = draft_namespace(d, all[i].option, all[i].value, all[i].type, err);
    add_namespace(d, "mount");
    bool own_network = false;
    if (r == 0)
        r = draft_network(d, &own_network, err);
    if (r == 0 && own_network)
        add_namespace(d, "network");
    if (r == 0)
        r = draft_hostname(d, err);
    if (r == 0)
        r = draft_sysctls(d, err);
    return r;
}
