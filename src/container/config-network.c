/* --network and what belongs to it: which mode, which bridges, which ports.
 *
 * Without --network a container has the host's network, unless something is asked for that only a
 * network of its own can have, or containers.conf says otherwise. */
#include "container/draft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "base/subnet.h"
#include "container/config-network.h"
#include "container/config.h"
#include "container/containers-conf.h"
#include "container/firn.h"
#include "container/netavark.h"
#include "container/port.h"
#include "store/image.h"
#include "store/network.h"

/* ---- which mode ---- */

static int choose_helper(const struct containers_conf *conf, const char **ret, struct error *err)
{
    static const char *const helpers[] = {"pasta", "slirp4netns"};
    for (size_t i = 0; i < ARRAY_LEN(helpers); i++) {
        bool wanted = !conf->rootless_network || string_equal(conf->rootless_network, helpers[i]);
        _cleanup_free_ char *path = wanted ? find_program(helpers[i]) : NULL;
        if (path) {
            *ret = helpers[i];
            return 0;
        }
    }
    return error_set(err, ENOENT,
                     "a private network needs pasta or slirp4netns: install the package passt (or "
                     "slirp4netns), or use --network host or none");
}

/* A file that cannot be read is no reason not to run anything. */
static void load_conf(const struct firn *firn, struct containers_conf *ret)
{
    struct error why = {0};
    if (containers_conf_load(ret, &why) < 0)
        firn_warn(firn, "containers.conf is ignored: %s", why.text);
}

int config_private_mode(const struct firn *firn, const char **ret, struct error *err)
{
    _cleanup_containers_conf_ struct containers_conf conf = {0};
    load_conf(firn, &conf);
    if (firn->rootless)
        return choose_helper(&conf, ret, err);
    _cleanup_free_ char *netavark = netavark_find();
    if (!netavark)
        return error_set(err, ENOENT,
                         "a private network needs netavark: install the package netavark, or use "
                         "--network host or none");
    *ret = "bridge";
    return 0;
}

static bool needs_private(const struct create_options *o)
{
    return o->publish || o->publish_all || o->ip || o->mac_address || o->network_aliases;
}

/* Podman's word for what a container gets that asks for no network. The caller frees. */
static int default_word(const struct draft *d, char **ret, struct error *err)
{
    _cleanup_containers_conf_ struct containers_conf conf = {0};
    if (needs_private(d->options)) {
        *ret = xstrdup("private");
        return 0;
    }
    load_conf(d->firn, &conf);
    *ret = xstrdup(conf.netns && *conf.netns ? conf.netns : "host");
    return 0;
}

/* ---- bridges ---- */

bool config_is_mac(const char *mac)
{
    unsigned b[6];
    int used = 0;
    return sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
                  &used) == 6 &&
           !mac[used] && used == 17 && !(b[0] & 1);
}

/* What the kernel takes for an interface, without what has a meaning elsewhere. */
bool config_is_interface(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length < 16 && config_check_name(name, NULL) == 0;
}

static int refuse_option(const char *what, const char *value, struct error *err)
{
    return error_kind_set(err, ERROR_USAGE, "\"%s\" is no valid %s", value, what);
}

static int check_address(const char *ip, const struct network *n, struct error *err)
{
    uint32_t address;
    struct subnet s;
    const char *subnet = js_get_string(js_at(js_get(n->document, "subnets"), 0), "subnet");
    if (ipv4_parse(ip, &address) < 0)
        return error_kind_set(err, ERROR_USAGE, "\"%s\" is not an ip address", ip);
    if (subnet && subnet_parse(subnet, &s) == 0 && subnet_has(&s, address))
        return 0;
    return error_kind_set(err, ERROR_USAGE,
                          "requested static ip %s not in any subnet on network %s", ip, n->name);
}

/* One option of a network: `NAME:ip=10.89.0.7,mac=...,alias=...,interface_name=...`. */
static int set_option(struct json *o, const struct network *n, const char *key, const char *value,
                      struct error *err)
{
    int r = 0;
    if (strcmp(key, "ip") == 0) {
        r = check_address(value, n, err);
        js_set(o, "static_ips", js_strings((char *const[]){(char *)value, NULL}));
    } else if (strcmp(key, "mac") == 0) {
        if (!config_is_mac(value))
            return error_kind_set(err, ERROR_USAGE, "address %s: invalid MAC address", value);
        js_set(o, "static_mac", js_string(value));
    } else if (strcmp(key, "alias") == 0) {
        if (config_check_name(value, NULL) < 0)
            return refuse_option("alias", value, err);
        if (!js_get(o, "aliases"))
            js_set(o, "aliases", js_array());
        js_push(js_get(o, "aliases"), js_string(value));
    } else if (strcmp(key, "interface_name") == 0) {
        if (!config_is_interface(value))
            return refuse_option("interface name", value, err);
        js_set(o, "interface_name", js_string(value));
    } else {
        r = error_kind_set(err, ERROR_USAGE,
                           "unknown network option \"%s\": use ip, mac, alias or "
                           "interface_name",
                           key);
    }
    return r;
}

static int set_options(struct json *o, const struct network *n, const char *text, struct error *err)
{
    _cleanup_strv_ char **list = strv_split(text, ',');
    STRV_FOREACH(option, list)
    {
        _cleanup_free_ char *key = NULL;
        const char *value = option_split(*option, &key);
        int r = set_option(o, n, key, value ? value : "", err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_bridge(struct draft *d, const char *name, const char *options, struct error *err)
{
    _cleanup_network_ struct network *n = NULL;
    struct json *networks = draft_object(d->config, "newNetworks");
    if (d->firn->rootless)
        return error_kind_set(err, ERROR_USAGE,
                              "network \"%s\" would be a bridge, which only root can make: use "
                              "--network private (pasta or slirp4netns), host or none",
                              name);
    int r = network_lookup(d->firn->store, name, &n, err);
    if (r < 0)
        return r;
    struct json *o = js_object();
    _cleanup_free_ char *interface = xasprintf("eth%zu", js_count(networks));
    js_set(o, "interface_name", js_string(interface));
    js_set(networks, n->name, o);
    js_set(d->config, "networkMode", js_string("bridge"));
    return options ? set_options(o, n, options, err) : 0;
}

/* --ip, --mac-address, --network-alias: for the one network there is. */
static int apply_single(struct draft *d, struct error *err)
{
    const struct create_options *o = d->options;
    struct json *networks = js_get(d->config, "newNetworks");
    if (!o->ip && !o->mac_address && !o->network_aliases)
        return 0;
    if (js_count(networks) != 1)
        return error_kind_set(err, ERROR_USAGE,
                              "--ip, --mac-address and --network-alias need exactly one bridge "
                              "network: invalid argument");
    void *only = js_first(networks);
    _cleanup_network_ struct network *n = NULL;
    int r = network_lookup(d->firn->store, js_iter_key(only), &n, err);
    if (r == 0 && o->ip)
        r = set_option(js_iter_value(only), n, "ip", o->ip, err);
    if (r == 0 && o->mac_address)
        r = set_option(js_iter_value(only), n, "mac", o->mac_address, err);
    for (char *const *alias = o->network_aliases; r == 0 && alias && *alias; alias++)
        r = set_option(js_iter_value(only), n, "alias", *alias, err);
    return r;
}

/* ---- one word of --network ---- */

static int set_private(struct draft *d, const char *options, struct error *err)
{
    const char *mode;
    int r = config_private_mode(d->firn, &mode, err);
    if (r == 0 && strcmp(mode, "bridge") == 0)
        return add_bridge(d, NETWORK_DEFAULT, options, err);
    if (r == 0)
        js_set(d->config, "networkMode", js_string(mode));
    return r;
}

static int set_plain(struct draft *d, const char *mode, const char *options, struct error *err)
{
    bool helper = strcmp(mode, "host") != 0 && strcmp(mode, "none") != 0;
    _cleanup_free_ char *program = helper ? find_program(mode) : NULL;
    if (options)
        return error_kind_set(err, ERROR_USAGE,
                              "network \"%s\" takes no options in firn, but got \"%s\"", mode,
                              options);
    if (helper && !d->firn->rootless)
        return error_kind_set(err, ERROR_USAGE,
                              "%s networking is only supported for rootless mode: invalid argument",
                              mode);
    if (helper && !program)
        return error_set(err, ENOENT, "network \"%s\" needs the program %s: install the package %s",
                         mode, mode, strcmp(mode, "pasta") == 0 ? "passt" : mode);
    js_set(d->config, "networkMode", js_string(mode));
    return 0;
}

static int set_bridge(struct draft *d, const char *options, struct error *err)
{
    return add_bridge(d, NETWORK_DEFAULT, options, err);
}

static int refuse_join(const char *word, struct error *err)
{
    return error_kind_set(err, ERROR_USAGE,
                          "--network %s: joining the network of something else is not supported by "
                          "firn yet",
                          word);
}

static int add_word(struct draft *d, const char *word, struct error *err)
{
    static const char *const plain[] = {"host", "none", "pasta", "slirp4netns"};
    static const struct {
        const char *word;
        int (*set)(struct draft *, const char *, struct error *);
    } words[] = {{"private", set_private}, {"default", set_private}, {"bridge", set_bridge}};
    _cleanup_free_ char *name = xstrndup(word, strcspn(word, ":"));
    const char *options = strchr(word, ':') ? strchr(word, ':') + 1 : NULL;
    if (strcmp(name, "container") == 0 || strcmp(name, "ns") == 0)
        return refuse_join(word, err);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        if (strcmp(plain[i], name) == 0)
            return set_plain(d, name, options, err);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].word, name) == 0)
            return words[i].set(d, options, err);
    return add_bridge(d, name, options, err);
}

/* "a,b" are two networks, "a:ip=1.2.3.4,mac=..." is one. */
static int add_words(struct draft *d, const char *text, struct error *err)
{
    if (strchr(text, ':'))
        return add_word(d, text, err);
    _cleanup_strv_ char **list = strv_split(text, ',');
    int r = 0;
    for (char **word = list; r == 0 && *word; word++)
        r = add_word(d, *word, err);
    return r;
}

static int set_mode(struct draft *d, struct error *err)
{
    _cleanup_free_ char *word = NULL;
    size_t count = strv_length(d->options->networks);
    int r = count ? 0 : default_word(d, &word, err);
    if (r == 0 && !count)
        r = add_words(d, word, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_words(d, d->options->networks[i], err);
    bool bridge = string_equal(js_get_string(d->config, "networkMode"), "bridge");
    if (r == 0 && (bridge ? false : count > 1 || js_get(d->config, "newNetworks")))
        return error_kind_set(err, ERROR_USAGE,
                              "cannot set multiple networks without bridge network mode, selected "
                              "mode %s: invalid argument",
                              js_get_string(d->config, "networkMode"));
    return r < 0 ? r : apply_single(d, err);
}

/* ---- ports ---- */

static int draft_ports(struct draft *d, bool private_network, struct error *err)
{
    const struct create_options *o = d->options;
    _cleanup_json_ struct json *ports = NULL;
    if (!private_network) {
        if (o->publish || o->publish_all)
            firn_warn(d->firn, "Port mappings have been discarded as one of the Host, Container, "
                               "Pod, and None network modes are in use");
        return 0;
    }
    int r = ports_parse(o->publish, &ports, err);
    _cleanup_strv_ char **exposed = o->publish_all ? image_exposed_ports(d->image) : NULL;
    if (r == 0 && o->publish_all)
        r = ports_add_exposed(ports, exposed, err);
    if (r == 0 && o->publish_all)
        r = ports_add_exposed(ports, o->expose, err);
    if (r == 0 && js_count(ports))
        js_set(d->config, "newPortMappings", take_ptr(ports));
    return r;
}

int draft_network(struct draft *d, bool *ret_own_namespace, struct error *err)
{
    int r = set_mode(d, err);
    if (r < 0)
        return r;
    const char *mode = js_get_string(d->config, "networkMode");
    bool own = strcmp(mode, "host") != 0, none = strcmp(mode, "none") == 0;
    js_set(d->config, "createNetNS", js_bool(own));
    *ret_own_namespace = own;
    return draft_ports(d, own && !none, err);
}

int config_publish(struct json *config, char *const *specs, struct error *err)
{
    _cleanup_json_ struct json *ports = NULL;
    const char *mode = js_get_string(config, "networkMode");
    if (!strv_length(specs))
        return 0;
    if (!mode || strcmp(mode, "host") == 0 || strcmp(mode, "none") == 0)
        return error_kind_set(err, ERROR_USAGE,
                              "--publish is for containers with a private network, but container "
                              "%s has network \"%s\"",
                              js_get_string(config, "name"), mode ? mode : "host");
    int r = ports_parse(specs, &ports, err);
    if (r == 0)
        js_set(config, "newPortMappings", take_ptr(ports));
    return r;
}
