/* What others are told of a container's network. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/network-driver.h"
#include "container/pasta.h"
#include "container/slirp4netns.h"
#include "store/network.h"

/* The first interface of a network in netavark's answer; *ret_name may be NULL. */
static const struct json *first_interface(const struct json *network)
{
    JSON_FOREACH_KEY(js_get(network, "interfaces"), it)
    return js_iter_value(it);
    return NULL;
}

static const struct json *first_subnet(const struct json *interface)
{
    return js_at(js_get(interface, "subnets"), 0);
}

struct json *network_status(const struct container *c)
{
    _cleanup_json_ struct json *state = network_state(c);
    const struct json *status = js_get(state, "status");
    return status ? js_copy(status) : js_null();
}

/* ---- files ---- */

static void add_host(struct buf *b, const char *address, const struct container *c)
{
    buf_printf(b, "%.*s\t%s %s\n", (int)strcspn(address, "/"), address, container_hostname(c),
               c->name);
}

char *network_hosts(const struct container *c)
{
    struct buf b = {0};
    _cleanup_json_ struct json *state = network_state(c);
    bool gateway_said = false;
    buf_add_string(&b, "");
    JSON_FOREACH_KEY(js_get(state, "status"), it)
    {
        const struct json *subnet = first_subnet(first_interface(js_iter_value(it)));
        const char *gateway = js_get_string(subnet, "gateway");
        const char *address = js_get_string(subnet, "ipnet");
        if (gateway && !gateway_said)
            buf_printf(&b, "%s\thost.containers.internal\n", gateway);
        gateway_said |= gateway != NULL;
        if (address)
            add_host(&b, address, c);
    }
    const struct json *addresses = js_get(state, "addresses");
    JSON_FOREACH(addresses, i)
    {
        add_host(&b, js_get_string(js_at(addresses, i), "address"), c);
    }
    return buf_take(&b);
}

/* Inside, the host's loopback is not to be had. */
static bool host_listens_on_loopback_only(void)
{
    bool any = false;
    _cleanup_buf_ struct buf text = {0};
    file_read("/etc/resolv.conf", &text, NULL);
    _cleanup_strv_ char **lines = strv_split(text.data ? text.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        const char *server = string_after(*line, "nameserver ");
        if (server && !string_starts(server, "127.") && !string_starts(server, "::1"))
            return false;
        any |= server != NULL;
    }
    return any;
}

static char **collect(const struct container *c, const char *key)
{
    char **list = NULL;
    _cleanup_json_ struct json *state = network_state(c);
    JSON_FOREACH_KEY(js_get(state, "status"), it)
    {
        _cleanup_strv_ char **some = js_get_strings(js_iter_value(it), key);
        STRV_FOREACH(s, some)
        {
            if (!strv_contains(list, *s))
                strv_add(&list, *s);
        }
    }
    return list;
}

char **network_name_servers(const struct container *c)
{
    char **list = NULL;
    const char *mode = network_mode(c);
    if (strcmp(mode, network_slirp4netns.mode) == 0)
        strv_add(&list, SLIRP4NETNS_DNS);
    else if (strcmp(mode, network_pasta.mode) == 0 && host_listens_on_loopback_only())
        strv_add(&list, PASTA_DNS);
    return list ? list : collect(c, "dns_server_ips");
}

char **network_search_domains(const struct container *c)
{
    return collect(c, "dns_search_domains");
}

/* ---- inspect ---- */

static const char empty_endpoint[] =
    "{\"EndpointID\":\"\",\"Gateway\":\"\",\"IPAddress\":\"\",\"IPPrefixLen\":0,"
    "\"IPv6Gateway\":\"\",\"GlobalIPv6Address\":\"\",\"GlobalIPv6PrefixLen\":0,"
    "\"MacAddress\":\"\"}";
static const char empty_sandbox[] =
    "{\"Bridge\":\"\",\"SandboxID\":\"\",\"HairpinMode\":false,\"LinkLocalIPv6Address\":\"\","
    "\"LinkLocalIPv6PrefixLen\":0,\"Ports\":{},\"SandboxKey\":\"\"}";

static struct json *constants(const char *text)
{
    struct json *o = NULL;
    return js_parse(text, strlen(text), "constants", &o, NULL) < 0 ? js_object() : o;
}

static void set_address(struct json *endpoint, const char *address, int64_t bits)
{
    js_set(endpoint, "IPAddress", js_string(address));
    js_set(endpoint, "IPPrefixLen", js_int(bits));
}

static void fill_bridge(struct json *endpoint, const struct json *status)
{
    const struct json *interface = first_interface(status), *subnet = first_subnet(interface);
    const char *net = js_get_string(subnet, "ipnet"),
               *mac = js_get_string(interface, "mac_address");
    const char *gateway = js_get_string(subnet, "gateway");
    if (!net)
        return;
    _cleanup_free_ char *address = xstrndup(net, strcspn(net, "/"));
    const char *slash = strchr(net, '/');
    set_address(endpoint, address, slash ? atoi(slash + 1) : 0);
    js_set(endpoint, "Gateway", js_string(gateway ? gateway : ""));
    js_set(endpoint, "MacAddress", js_string(mac ? mac : ""));
}

static struct json *bridge_endpoint(const struct container *c, const char *name,
                                    const struct json *options, const struct json *state)
{
    struct json *o = constants(empty_endpoint), *aliases = js_array();
    const struct json *given = js_get(options, "aliases");
    _cleanup_free_ char *short_id = xstrndup(c->id, 12);
    JSON_FOREACH(given, i)
    {
        js_push(aliases, js_ref(js_at(given, i)));
    }
    js_push(aliases, js_string(short_id));
    fill_bridge(o, js_path(state, "status", name, NULL));
    js_set(o, "NetworkID", js_string(name));
    js_set(o, "DriverOpts", js_null());
    js_set(o, "IPAMConfig", js_null());
    js_set(o, "Links", js_null());
    js_set(o, "Aliases", aliases);
    return o;
}

/* What one network has in common with all stands at the top, too. */
static void lift(struct json *settings, const struct json *endpoint)
{
    _cleanup_json_ struct json *keys = constants(empty_endpoint);
    JSON_FOREACH_KEY(keys, it)
    js_set(settings, js_iter_key(it), js_ref(js_get(endpoint, js_iter_key(it))));
}

static struct json *endpoints(const struct container *c, const struct json *state)
{
    struct json *all = js_object();
    const char *mode = network_mode(c);
    if (strcmp(mode, network_bridge.mode) == 0) {
        JSON_FOREACH_KEY(js_get(c->config, "newNetworks"), it)
        js_set(all, js_iter_key(it), bridge_endpoint(c, js_iter_key(it), js_iter_value(it), state));
        return all;
    }
    struct json *one = constants(empty_endpoint);
    const struct json *address = js_at(js_get(state, "addresses"), 0);
    if (address)
        set_address(one, js_get_string(address, "address"), js_get_int(address, "bits", 0));
    js_set(all, mode, one);
    return all;
}

struct json *network_settings(const struct container *c)
{
    _cleanup_json_ struct json *state = network_state(c);
    _cleanup_json_ struct json *networks = endpoints(c, state);
    struct json *settings = constants(empty_endpoint), *sandbox = constants(empty_sandbox);
    if (js_count(networks) == 1)
        lift(settings, js_iter_value(js_first(networks)));
    JSON_FOREACH_KEY(sandbox, it)
    js_set(settings, js_iter_key(it), js_ref(js_iter_value(it)));
    js_unref(sandbox);
    if (network_is_private(c)) {
        _cleanup_free_ char *path = network_namespace(c);
        js_set(settings, "Ports", ports_bindings(network_ports(c)));
        js_set(settings, "SandboxKey", js_string(state ? path : ""));
    }
    js_set(settings, "Networks", take_ptr(networks));
    return settings;
}

struct json *network_names(const struct container *c)
{
    struct json *list = js_array();
    JSON_FOREACH_KEY(js_get(c->config, "newNetworks"), it)
    js_push(list, js_string(js_iter_key(it)));
    return list;
}
