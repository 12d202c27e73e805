/* The network of a container: a namespace of its own, made before the runtime creates the container
 * and joined by it, connected by netavark (mode "bridge", root), pasta or slirp4netns (ordinary
 * users). With modes "host" and "none" all of this does nothing.
 *
 * What is in place is said by <runroot>/netns/<id>, the namespace, and <id>.json beside it:
 *     {"mode": "bridge", "request": netavark's input, "status": its answer, "leases": [...],
 *      "helper": {"pid": N, "start": ticks}, "addresses": [...]} */
#pragma once

#include "container/container.h"
#include "container/port.h"

/* What a restore wants of the network. */
struct network_wish {
    const struct json *status; /* network.status of the checkpoint; NULL: none */
    bool ignore_ip, ignore_mac;
    bool quiet; /* nothing comes in before network_open: a connection would be reset */
};

/* host, none, bridge, pasta or slirp4netns. */
const char *network_mode(const struct container *c);
/* Has it a namespace that is connected? */
bool network_is_private(const struct container *c);
/* The program that carries its connections and ends with it: "pasta", "slirp4netns", else NULL. */
const char *network_helper(const struct container *c);
/* Path of the namespace, for the runtime's spec. The caller frees; NULL without one. */
char *network_namespace(const struct container *c);

/* Sets it up. `wish` may be NULL. What fails leaves nothing. Locks the container must hold. */
int network_up(struct container *c, const struct network_wish *wish, struct error *err);
/* Takes down what is there. Idempotent, also after a reboot. */
int network_down(struct container *c, struct error *err);
/* From here on nothing that is sent to the container arrives, without an answer: its connections
 * wait. */
void network_close(struct container *c);
void network_open(struct container *c);

/* ---- what is there ---- */

/* The state document, NULL when the network is not up. */
struct json *network_state(const struct container *c);
/* The checkpoint's network.status: Podman's {"podman": {"interfaces": {"eth0": {...}}}}. */
struct json *network_status(const struct container *c);
/* Lines for /etc/hosts; "" when there are none. The caller frees. */
char *network_hosts(const struct container *c);
/* What resolv.conf must say instead of the host's name servers, NULL: nothing. The caller frees. */
char **network_name_servers(const struct container *c);
char **network_search_domains(const struct container *c);
/* inspect's NetworkSettings. */
struct json *network_settings(const struct container *c);
/* Names for `ps`, as a JSON array. */
struct json *network_names(const struct container *c);
