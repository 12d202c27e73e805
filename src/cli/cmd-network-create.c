#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "store/network.h"

struct network_create_options {
    bool disable_dns, ignore, internal;
    char *driver, *gateway, *range, *interface, *subnet;
    char **labels, **options;
};

#define NETWORK(field) offsetof(struct network_create_options, field)

static const struct option table[] = {
    {"disable-dns", 0, OPTION_BOOL, NETWORK(disable_dns), .help = "disable dns plugin"},
    {"dns", 0, OPTION_UNSUPPORTED, 0, "strings"},
    {"driver", 'd', OPTION_STRING, NETWORK(driver), "string", "driver to manage the network",
     .initial = "bridge"},
    {"gateway", 0, OPTION_STRING, NETWORK(gateway), "ip", "IPv4 gateway for the subnet"},
    {"ignore", 0, OPTION_BOOL, NETWORK(ignore), .help = "Don't fail if network already exists"},
    {"interface-name", 0, OPTION_STRING, NETWORK(interface), "string", "name of the bridge"},
    {"internal", 0, OPTION_BOOL, NETWORK(internal),
     .help = "restrict external access from this network"},
    {"ip-range", 0, OPTION_STRING, NETWORK(range), "string", "allocate container IP from range"},
    {"ipam-driver", 0, OPTION_UNSUPPORTED, 0, "string"},
    {"ipv6", 0, OPTION_UNSUPPORTED, 0},
    {"label", 0, OPTION_STRINGS, NETWORK(labels), "stringArray", "set metadata on a network"},
    {"opt", 'o', OPTION_STRINGS, NETWORK(options), "stringArray",
     "Set driver specific options (default [])"},
    {"route", 0, OPTION_UNSUPPORTED, 0, "stringArray"},
    {"subnet", 0, OPTION_STRING, NETWORK(subnet), "string", "subnet in CIDR format"},
    {0},
};

/* "k=v" or "k" each. */
static struct json *to_object(char *const *list)
{
    struct json *o = js_object();
    STRV_FOREACH(s, list)
    {
        _cleanup_free_ char *key = xstrndup(*s, strcspn(*s, "="));
        const char *value = strchr(*s, '=');
        js_set(o, key, js_string(value ? value + 1 : ""));
    }
    return o;
}

static int run(struct call *call, struct error *err)
{
    const struct network_create_options *o = call->options;
    if (call->firn->rootless)
        return error_kind_set(err, ERROR_USAGE,
                              "networks are bridges, which only root can make: an ordinary user's "
                              "containers have --network private (pasta or slirp4netns), host or "
                              "none");
    _cleanup_json_ struct json *labels = to_object(o->labels), *options = to_object(o->options);
    _cleanup_network_ struct network *n = NULL;
    struct network_options create = {
        .name = call->arg_count ? call->args[0] : NULL,
        .driver = o->driver,
        .subnet = o->subnet,
        .gateway = o->gateway,
        .range = o->range,
        .interface = o->interface,
        .internal = o->internal,
        .no_dns = o->disable_dns || o->internal,
        .ignore_existing = o->ignore,
        .labels = labels,
        .options = options,
    };
    int r = network_create(call->firn->store, &create, &n, err);
    if (r < 0)
        return r;
    printf("%s\n", n->name);
    return 0;
}

const struct command command_network_create = {
    .paths = {"network create"},
    .usage = "[options] [NAME]",
    .help = "Create networks for containers",
    .options = table,
    .options_size = sizeof(struct network_create_options),
    .args_most = 1,
    .run = run,
};
