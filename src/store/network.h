/* Bridge networks: what they are called, their subnets and options. What makes them real is
 * container/network.h.
 *
 *     _cleanup_network_ struct network *n = NULL;
 *     int r = network_lookup(store, "podman", &n, err);
 *     const char *bridge = js_get_string(n->document, "network_interface");
 *
 * The document has libpod's keys, which are netavark's: name id driver network_interface created
 * subnets [{subnet gateway lease_range}] ipv6_enabled internal dns_enabled labels options
 * ipam_options. The network "podman" is always there and in no table. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "store/store.h"

#define NETWORK_DEFAULT    "podman"
#define NETWORK_DEFAULT_ID "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"

struct network {
    char *name;
    char *id; /* 64 hex digits */
    int64_t created;
    struct json *document;
};
void network_free(struct network *n);
DEFINE_CLEANUP(struct network *, network_free);
#define _cleanup_network_ _cleanup_(network_freep)

struct network_list {
    struct network **items;
    size_t count, room;
};
void network_list_free(struct network_list *l);
#define _cleanup_network_list_ _cleanup_(network_list_free)

/* As typed; NULL or false: not given. */
struct network_options {
    const char *name;           /* NULL: the first free of podman1, podman2, ... */
    const char *driver;         /* only "bridge" */
    const char *subnet;         /* "10.89.0.0/24"; NULL: the first free one */
    const char *gateway;        /* NULL: the first address */
    const char *range;          /* --ip-range: a subnet of it, or FIRST-LAST */
    const char *interface;      /* of the bridge; NULL: the first free of podman1, ... */
    bool internal;              /* no way out, no ports */
    bool no_dns;                /* names of containers do not resolve */
    bool ignore_existing;       /* return what is there, do not fail */
    const struct json *labels;  /* object or NULL */
    const struct json *options; /* object or NULL: mtu, isolate, vlan, metric for netavark */
};

/* "network name X already used: network already exists" (ERROR_CONFLICT); an overlapping subnet is
 * refused, too. */
int network_create(struct store *s, const struct network_options *o, struct network **ret,
                   struct error *err);
/* By name, id or unique prefix of an id. ERROR_NOT_FOUND: "unable to find network with name or ID
 * X: network not found". */
int network_lookup(struct store *s, const char *name_or_id, struct network **ret,
                   struct error *err);
/* Sorted by name, the default one included. */
int network_list(struct store *s, struct network_list *ret, struct error *err);
/* Ids of the containers that have it in their configuration. */
int network_users(struct store *s, const char *name, char ***ret, struct error *err);
/* ERROR_IN_USE when a container has it, ERROR_USAGE for the default one. */
int network_remove(struct store *s, const char *name, struct error *err);
/* Remembers that a container uses a network; forgotten when the container's row goes. */
int network_attach(struct store *s, const char *name, const char *container_id, struct error *err);
