#include "store/network-plan.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/strv.h"
#include "base/subnet.h"

#define DEFAULT_SUBNET  "10.88.0.0/16"
#define DEFAULT_GATEWAY "10.88.0.1"
enum { NAMES_MAX = 10000 };

/* Where subnets are taken from, each a /24: Podman's pools. */
static const uint32_t pool_first = 10u << 24 | 89u << 16, pool_last = 10u << 24 | 255u << 16;

static struct json *document_of(const char *name, const char *id, const char *interface,
                                struct json *subnets, bool internal, bool dns)
{
    struct json *o = js_object(), *ipam = js_object();
    js_set(o, "name", js_string(name));
    js_set(o, "id", js_string(id));
    js_set(o, "driver", js_string("bridge"));
    js_set(o, "network_interface", js_string(interface));
    _cleanup_free_ char *created = time_rfc3339(now_ns());
    js_set(o, "created", js_string(created));
    js_set(o, "subnets", subnets);
    js_set(o, "ipv6_enabled", js_bool(false));
    js_set(o, "internal", js_bool(internal));
    js_set(o, "dns_enabled", js_bool(dns));
    js_set(ipam, "driver", js_string("host-local"));
    js_set(o, "ipam_options", ipam);
    return o;
}

static struct json *subnets_of(const char *subnet, const char *gateway)
{
    struct json *list = js_array(), *one = js_object();
    js_set(one, "subnet", js_string(subnet));
    js_set(one, "gateway", js_string(gateway));
    js_push(list, one);
    return list;
}

struct json *network_plan_default(void)
{
    return document_of(NETWORK_DEFAULT, NETWORK_DEFAULT_ID, "podman0",
                       subnets_of(DEFAULT_SUBNET, DEFAULT_GATEWAY), false, false);
}

/* ---- subnets ---- */

static const struct network *overlapping(const struct subnet *s, const struct network_list *others)
{
    for (size_t i = 0; i < others->count; i++) {
        const struct json *list = js_get(others->items[i]->document, "subnets");
        JSON_FOREACH(list, k)
        {
            struct subnet other;
            const char *text = js_get_string(js_at(list, k), "subnet");
            if (text && subnet_parse(text, &other) == 0 && subnet_overlaps(s, &other))
                return others->items[i];
        }
    }
    return NULL;
}

/* An interface of this host is in it. */
static bool used_by_host(const struct subnet *s, const struct ifaddrs *all)
{
    for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
        const struct sockaddr_in *in = (const void *)a->ifa_addr;
        const struct sockaddr_in *mask = (const void *)a->ifa_netmask;
        if (!in || !mask || in->sin_family != AF_INET)
            continue;
        struct subnet its = {.bits = (unsigned)__builtin_popcount(mask->sin_addr.s_addr)};
        its.address = ntohl(in->sin_addr.s_addr & mask->sin_addr.s_addr);
        if (subnet_overlaps(s, &its))
            return true;
    }
    return false;
}

static int choose_subnet(const struct network_list *others, struct subnet *ret, struct error *err)
{
    struct ifaddrs *all = NULL;
    (void)!getifaddrs(&all);
    struct subnet s = {.address = pool_first, .bits = 24};
    while (s.address < pool_last && (overlapping(&s, others) || used_by_host(&s, all)))
        s.address += 256;
    freeifaddrs(all);
    if (s.address >= pool_last)
        return error_set(err, ENOSPC, "no subnet is free: give one with --subnet");
    *ret = s;
    return 0;
}

static int parse_subnet(const char *text, const struct network_list *others, struct subnet *ret,
                        struct error *err)
{
    if (strchr(text, ':'))
        return error_kind_set(err, ERROR_USAGE,
                              "subnet %s is of IPv6: firn's networks are of IPv4 so far", text);
    if (subnet_parse(text, ret) < 0 || ret->bits < 1 || ret->bits > 30)
        return error_kind_set(err, ERROR_USAGE, "invalid CIDR address: %s", text);
    const struct network *other = overlapping(ret, others);
    if (!other)
        return 0;
    return error_kind_set(err, ERROR_CONFLICT,
                          "subnet %s is already used on the host or by another config: network %s "
                          "has it",
                          text, other->name);
}

static int add_gateway(const struct network_options *o, const struct subnet *s, struct json *subnet,
                       struct error *err)
{
    uint32_t address = s->address + 1;
    char text[IPV4_TEXT];
    if (o->gateway && (ipv4_parse(o->gateway, &address) < 0 || !subnet_has(s, address)))
        return error_kind_set(err, ERROR_USAGE, "gateway %s not in subnet %s", o->gateway,
                              js_get_string(subnet, "subnet"));
    ipv4_format(address, text);
    js_set(subnet, "gateway", js_string(text));
    return 0;
}

/* --ip-range: a smaller subnet, or FIRST-LAST. */
static int parse_range(const char *text, uint32_t *first, uint32_t *last)
{
    struct subnet range;
    const char *dash = strchr(text, '-');
    if (!dash) {
        if (subnet_parse(text, &range) < 0)
            return -EINVAL;
        *first = range.address + 1;
        *last = subnet_last(&range) - 1;
        return 0;
    }
    _cleanup_free_ char *from = xstrndup(text, (size_t)(dash - text));
    return ipv4_parse(from, first) < 0 ? -EINVAL : ipv4_parse(dash + 1, last);
}

static int add_range(const struct network_options *o, const struct subnet *s, struct json *subnet,
                     struct error *err)
{
    uint32_t first, last;
    char start[IPV4_TEXT], end[IPV4_TEXT];
    if (!o->range)
        return 0;
    if (parse_range(o->range, &first, &last) < 0 || first > last || !subnet_has(s, first) ||
        !subnet_has(s, last))
        return error_kind_set(err, ERROR_USAGE, "ip range %s not in subnet %s", o->range,
                              js_get_string(subnet, "subnet"));
    struct json *range = js_object();
    ipv4_format(first, start);
    ipv4_format(last, end);
    js_set(range, "start_ip", js_string(start));
    js_set(range, "end_ip", js_string(end));
    js_set(subnet, "lease_range", range);
    return 0;
}

static int plan_subnet(const struct network_options *o, const struct network_list *others,
                       struct json **ret, struct error *err)
{
    struct subnet s;
    if (!o->subnet && (o->gateway || o->range))
        return error_kind_set(err, ERROR_USAGE, "cannot set gateway or ip-range without subnet");
    int r = o->subnet ? parse_subnet(o->subnet, others, &s, err) : choose_subnet(others, &s, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *text = subnet_format(&s);
    _cleanup_json_ struct json *list = subnets_of(text, "");
    r = add_gateway(o, &s, js_at(list, 0), err);
    if (r == 0)
        r = add_range(o, &s, js_at(list, 0), err);
    if (r < 0)
        return r;
    *ret = take_ptr(list);
    return 0;
}

/* ---- names ---- */

static bool is_taken(const char *key, const char *value, const struct network_list *others)
{
    for (size_t i = 0; i < others->count; i++)
        if (string_equal(js_get_string(others->items[i]->document, key), value))
            return true;
    return false;
}

/* podman1, podman2, ...: the first that is no network's and no interface's. */
static char *choose_name(const char *key, const struct network_list *others)
{
    for (int i = 1; i < NAMES_MAX; i++) {
        _cleanup_free_ char *name = xasprintf("podman%d", i);
        if (!is_taken(key, name, others) && !if_nametoindex(name))
            return take_ptr(name);
    }
    return NULL;
}

static int check_interface(const char *name, const struct network_list *others, struct error *err)
{
    if (strlen(name) >= IF_NAMESIZE || strpbrk(name, "/ :"))
        return error_kind_set(err, ERROR_USAGE, "bridge name %s is invalid: invalid argument",
                              name);
    if (is_taken("network_interface", name, others))
        return error_kind_set(err, ERROR_CONFLICT, "bridge name %s already in use", name);
    return 0;
}

/* ---- all of it ---- */

static int check(const struct network_options *o, const struct network_list *others,
                 struct error *err)
{
    static const char *const known[] = {"mtu", "isolate", "vlan", "metric"};
    if (o->driver && *o->driver && strcmp(o->driver, "bridge") != 0)
        return error_kind_set(err, ERROR_USAGE,
                              "unsupported driver %s: firn makes networks of driver bridge only",
                              o->driver);
    JSON_FOREACH_KEY((struct json *)o->options, it)
    {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found |= strcmp(known[i], js_iter_key(it)) == 0;
        if (!found)
            return error_kind_set(err, ERROR_USAGE, "unsupported bridge network option %s",
                                  js_iter_key(it));
    }
    return o->interface ? check_interface(o->interface, others, err) : 0;
}

int network_plan(const struct network_options *o, const char *id, const struct network_list *others,
                 struct json **ret, struct error *err)
{
    struct json *subnets = NULL;
    int r = check(o, others, err);
    if (r == 0)
        r = plan_subnet(o, others, &subnets, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *name = o->name ? xstrdup(o->name) : choose_name("name", others);
    _cleanup_free_ char *interface =
        o->interface ? xstrdup(o->interface) : choose_name("network_interface", others);
    struct json *document = document_of(name, id, interface, subnets, o->internal, !o->no_dns);
    if (js_count(o->labels))
        js_set(document, "labels", js_copy(o->labels));
    if (js_count(o->options))
        js_set(document, "options", js_copy(o->options));
    *ret = document;
    return 0;
}
