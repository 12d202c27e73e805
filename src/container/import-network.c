#include "container/import-network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "container/config-network.h"
#include "container/config.h"
#include "container/draft.h"
#include "container/firn.h"
#include "container/port.h"
#include "store/network.h"

static int foreign(const char *archive, const char *what, struct error *err)
{
    return error_set(err, EINVAL, "%s is not a checkpoint firn can restore: %s", archive, what);
}

/* ---- ports ---- */

static bool port_fits(int64_t first, int64_t count)
{
    return first >= 1 && first <= 65535 && count >= 1 && first + count - 1 <= 65535;
}

/* Through the parser of -p, so that an archive can say no more than a user. */
static int read_ports(const struct json *config, char ***ret, const char *archive,
                      struct error *err)
{
    const struct json *list = js_get(config, "newPortMappings");
    JSON_FOREACH(list, i)
    {
        const struct json *o = js_at(list, i);
        const char *ip = js_get_string(o, "host_ip"), *protocol = js_get_string(o, "protocol");
        int64_t host = js_get_int(o, "host_port", 0), inside = js_get_int(o, "container_port", 0);
        int64_t count = js_get_int(o, "range", 1);
        if (!count)
            count = 1;
        if (!port_fits(host, count) || !port_fits(inside, count))
            return foreign(archive, "it publishes a port that cannot be", err);
        bool six = ip && strchr(ip, ':');
        strv_addf(ret, "%s%s%s%s%lld-%lld:%lld-%lld/%s", six ? "[" : "", ip ? ip : "",
                  six ? "]" : "", ip && *ip ? ":" : "", (long long)host,
                  (long long)(host + count - 1), (long long)inside, (long long)(inside + count - 1),
                  protocol && *protocol ? protocol : "tcp");
    }
    return 0;
}

static int check_ports(struct json *config, const char *archive, struct error *err)
{
    _cleanup_strv_ char **specs = NULL;
    _cleanup_json_ struct json *ports = NULL;
    int r = read_ports(config, &specs, archive, err);
    if (r == 0)
        r = ports_parse(specs, &ports, err);
    if (r == 0 && js_count(ports))
        js_set(config, "newPortMappings", take_ptr(ports));
    return r;
}

/* ---- bridges ---- */

/* Names end up in files that have lines. */
static bool aliases_fit(const struct json *aliases)
{
    JSON_FOREACH(aliases, i)
    {
        const char *name = js_text(js_at(aliases, i));
        if (!name || config_check_name(name, NULL) < 0)
            return false;
    }
    return !aliases || js_is_array(aliases);
}

static int check_options(struct json *options, const char *interface, const char *archive,
                         struct error *err)
{
    const char *given = js_get_string(options, "interface_name");
    const char *mac = js_get_string(options, "static_mac");
    if (!js_is_object(options) || !aliases_fit(js_get(options, "aliases")))
        return foreign(archive, "its networks cannot be read", err);
    if (!given || !config_is_interface(given))
        js_set(options, "interface_name", js_string(interface));
    if (mac && !config_is_mac(mac))
        js_remove(options, "static_mac");
    return 0;
}

static int check_bridges(struct firn *firn, struct json *config, const char *archive,
                         struct error *err)
{
    struct json *networks = draft_object(config, "newNetworks");
    size_t number = 0;
    if (!js_is_object(networks))
        return foreign(archive, "its networks cannot be read", err);
    if (!js_count(networks))
        js_set(networks, NETWORK_DEFAULT, js_object());
    JSON_FOREACH_KEY(networks, it)
    {
        _cleanup_network_ struct network *n = NULL;
        _cleanup_free_ char *interface = xasprintf("eth%zu", number++);
        int r = check_options(js_iter_value(it), interface, archive, err);
        if (r < 0)
            return r;
        if (network_lookup(firn->store, js_iter_key(it), &n, NULL) < 0)
            return error_kind_set(err, ERROR_NOT_FOUND,
                                  "%s needs network %s, which is not here: make it with `firn "
                                  "network create %s`",
                                  archive, js_iter_key(it), js_iter_key(it));
    }
    return 0;
}

/* ---- the mode ---- */

/* Bridges are root's, pasta and slirp4netns everybody else's. */
static int fit_mode(struct firn *firn, struct json *config, struct error *err)
{
    const char *mode = js_get_string(config, "networkMode"), *here;
    bool bridge = strcmp(mode, "bridge") == 0;
    if (bridge != firn->rootless)
        return 0;
    int r = config_private_mode(firn, &here, err);
    if (r < 0)
        return r;
    js_set(config, "networkMode", js_string(here));
    js_remove(config, "newNetworks");
    return 0;
}

static bool is_known(const char *mode)
{
    static const char *const known[] = {"bridge", "pasta", "slirp4netns"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i], mode) == 0)
            return true;
    return false;
}

int import_network(struct firn *firn, struct json *config, const char *archive, struct error *err)
{
    const char *mode = js_get_string(config, "networkMode");
    if (!mode || !*mode) {
        if (!js_get_bool(config, "createNetNS", false))
            return 0;
        mode = "bridge"; /* Podman leaves it out */
        js_set(config, "networkMode", js_string(mode));
    }
    if (strcmp(mode, "host") == 0 || strcmp(mode, "none") == 0)
        return 0;
    if (!is_known(mode))
        return error_set(
            err, ENOTSUP,
            "%s was made of a container with network \"%s\", which firn cannot restore", archive,
            mode);
    int r = fit_mode(firn, config, err);
    if (r == 0 && string_equal(js_get_string(config, "networkMode"), "bridge"))
        r = check_bridges(firn, config, archive, err);
    return r < 0 ? r : check_ports(config, archive, err);
}
