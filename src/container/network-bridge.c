/* Bridges: addresses are leased (lease.h), the rest is netavark's. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/subnet.h"
#include "container/config-network.h"
#include "container/firn.h"
#include "container/lease.h"
#include "container/netavark.h"
#include "container/netns.h"
#include "container/network-driver.h"
#include "store/network.h"
#include "store/store.h"

#define FREED_WITHIN_NS INT64_C(2000000000)

/* ---- addresses ---- */

static uint32_t address_of(const struct json *o, const char *key)
{
    uint32_t address = 0;
    const char *text = js_get_string(o, key);
    return text && ipv4_parse(text, &address) == 0 ? address : 0;
}

/* What the checkpoint had there: an interface of Podman's network.status. */
static const struct json *wished(const struct network_job *job, const char *network,
                                 const char *interface)
{
    return job->wish ? js_path(job->wish->status, network, "interfaces", interface, NULL) : NULL;
}

static uint32_t wished_address(const struct network_job *job, const struct json *interface)
{
    const char *net = js_get_string(js_at(js_get(interface, "subnets"), 0), "ipnet");
    uint32_t address = 0;
    if (!net || job->wish->ignore_ip)
        return 0;
    _cleanup_free_ char *text = xstrndup(net, strcspn(net, "/"));
    return ipv4_parse(text, &address) == 0 ? address : 0;
}

/* Given up by --ignore-static-ip: also what `run --ip` said. */
static uint32_t given_address(const struct network_job *job, const struct json *options)
{
    uint32_t address;
    const char *text = js_text(js_at(js_get(options, "static_ips"), 0));
    if (!text || (job->wish && job->wish->ignore_ip) || ipv4_parse(text, &address) < 0)
        return 0;
    return address;
}

static void remember_lease(struct network_job *job, const char *subnet, const char *address)
{
    struct json *lease = js_object();
    js_set(lease, "subnet", js_string(subnet));
    js_set(lease, "address", js_string(address));
    if (!js_get(job->state, "leases"))
        js_set(job->state, "leases", js_array());
    js_push(js_get(job->state, "leases"), lease);
}

static int lease_address(struct network_job *job, const struct network *n, uint32_t wanted,
                         struct json **ret, struct error *err)
{
    const struct json *subnet = js_at(js_get(n->document, "subnets"), 0);
    const struct json *range = js_get(subnet, "lease_range");
    const char *text = js_get_string(subnet, "subnet");
    const char *bridge = js_get_string(n->document, "network_interface");
    struct lease_request q = {
        .gateway = address_of(subnet, "gateway"),
        .first = address_of(range, "start_ip"),
        .last = address_of(range, "end_ip"),
        .wanted = wanted,
        .bridge = bridge ? bridge : "",
        .owner = job->netns,
    };
    uint32_t address;
    if (!text || subnet_parse(text, &q.subnet) < 0)
        return error_set(err, EINVAL, "network %s has no subnet", n->name);
    int r = lease_take(&q, &address, err);
    if (r < 0)
        return r;
    char shown[IPV4_TEXT];
    ipv4_format(address, shown);
    remember_lease(job, text, shown);
    *ret = js_array();
    js_push(*ret, js_string(shown));
    return 0;
}

static void drop_leases(const struct network_job *job)
{
    const struct json *list = js_get(job->state, "leases");
    JSON_FOREACH(list, i)
    {
        struct subnet s;
        const char *text = js_get_string(js_at(list, i), "subnet");
        if (text && subnet_parse(text, &s) == 0)
            lease_drop(&s, address_of(js_at(list, i), "address"), job->netns);
    }
}

/* ---- the request ---- */

static struct json *aliases_of(const struct container *c, const struct json *options)
{
    _cleanup_free_ char *short_id = xstrndup(c->id, 12);
    struct json *list = js_array();
    js_push(list, js_string(c->name));
    js_push(list, js_string(short_id));
    const struct json *given = js_get(options, "aliases");
    JSON_FOREACH(given, i)
    {
        js_push(list, js_ref(js_at(given, i)));
    }
    return list;
}

static int add_network(struct network_job *job, const char *name, const struct json *options,
                       struct json *request, struct error *err)
{
    _cleanup_network_ struct network *n = NULL;
    int r = network_lookup(job->c->firn->store, name, &n, err);
    if (r < 0)
        return r;
    const char *interface = js_get_string(options, "interface_name");
    const struct json *before = wished(job, name, interface);
    uint32_t wanted = wished_address(job, before);
    struct json *addresses = NULL;
    r = lease_address(job, n, wanted ? wanted : given_address(job, options), &addresses, err);
    if (r < 0)
        return r;
    struct json *o = js_object();
    bool keep_mac = !job->wish || !job->wish->ignore_mac;
    const char *mac = js_get_string(before, "mac_address");
    if (!mac)
        mac = js_get_string(options, "static_mac");
    js_set(o, "static_ips", addresses);
    if (mac && keep_mac && config_is_mac(mac))
        js_set(o, "static_mac", js_string(mac));
    js_set(o, "interface_name", js_string(interface));
    js_set(o, "aliases", aliases_of(job->c, options));
    js_set(js_get(request, "networks"), n->name, o);
    js_set(js_get(request, "network_info"), n->name, js_copy(n->document));
    return 0;
}

static int make_request(struct network_job *job, struct json **ret, struct error *err)
{
    const struct json *ports = network_ports(job->c);
    _cleanup_json_ struct json *request = js_object();
    js_set(request, "container_id", js_string(job->c->id));
    js_set(request, "container_name", js_string(job->c->name));
    js_set(request, "networks", js_object());
    js_set(request, "network_info", js_object());
    if (js_count(ports))
        js_set(request, "port_mappings", js_copy(ports));
    JSON_FOREACH_KEY(js_get(job->c->config, "newNetworks"), it)
    {
        int r = add_network(job, js_iter_key(it), js_iter_value(it), request, err);
        if (r < 0)
            return r;
    }
    *ret = take_ptr(request);
    return 0;
}

/* ---- up and down ---- */

static char *names_directory(const struct network_job *job)
{
    return path_join(job->c->firn->runroot, "names");
}

/* The conmon of the run that has just ended may hold them for a moment longer. */
static int reserve_ports(struct container *c, struct error *err)
{
    int r = ports_reserve(network_ports(c), &c->port_sockets, err);
    int64_t until = c->facts.finished_at + FREED_WITHIN_NS;
    while (r == -EADDRINUSE && c->facts.finished_at && now_ns() < until) {
        port_sockets_close(&c->port_sockets);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        r = ports_reserve(network_ports(c), &c->port_sockets, err);
    }
    return r;
}

static int up(struct network_job *job, struct error *err)
{
    struct json *request = NULL, *status = NULL;
    int r = reserve_ports(job->c, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *names = names_directory(job);
    _cleanup_close_ int lock = lease_lock(err);
    r = lock < 0 ? lock : make_request(job, &request, err);
    if (r < 0)
        return r;
    js_set(job->state, "request", request);
    r = network_save_state(job, err);
    if (r == 0)
        r = netavark_setup(request, job->netns, names, &status, err);
    if (r == 0)
        js_set(job->state, "status", status);
    return r;
}

static int down(struct network_job *job, struct error *err)
{
    const struct json *request = js_get(job->state, "request");
    _cleanup_free_ char *names = names_directory(job);
    _cleanup_close_ int lock = lease_lock(err);
    if (lock < 0)
        return lock;
    struct error why = {0};
    /* Without a status its setup failed half way, and so may this. After a reboot there is nothing
     * but our files. */
    if (request && netns_exists(job->netns) &&
        netavark_teardown(request, job->netns, names, &why) < 0 && js_get(job->state, "status"))
        firn_warn(job->c->firn, "container %s: %s", job->c->name, why.text);
    drop_leases(job);
    return 0;
}

const struct network_driver network_bridge = {.mode = "bridge", .up = up, .down = down};
