/* Published ports: what -p says, as libpod's list of mappings
 *
 *     [{"host_ip": "", "container_port": 80, "host_port": 8080, "range": 1, "protocol": "tcp"}]
 *
 * where "range" counts the ports from there on. */
#pragma once

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"

/* `specs` are [[IP:][HOST]:]CONTAINER[/PROTOCOL] with ports or ranges "80-82"; a host port that is
 * not given is chosen from those that are free now. The caller frees. */
int ports_parse(char *const *specs, struct json **ret, struct error *err);
/* As ports_parse of "80/tcp" for those that are not in `list` yet: --publish-all. */
int ports_add_exposed(struct json *list, char *const *exposed, struct error *err);
/* "0.0.0.0:8080->80/tcp, 0.0.0.0:9000-9002->90-92/udp" as `ps` shows it. The caller frees. */
char *ports_text(const struct json *list);
/* {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]} as inspect shows them. */
struct json *ports_bindings(const struct json *list);

/* Sockets on the host's ports, so that nobody else takes them. Adds them to *fds (growing); what
 * was added stays there on failure, for the caller to close. ERROR_CANNOT_INVOKE: "cannot listen on
 * the TCP port: listen tcp4 127.0.0.1:80: bind: address already in use". */
struct port_sockets {
    int *fds;
    size_t count, room;
};
int ports_reserve(const struct json *list, struct port_sockets *ret, struct error *err);
void port_sockets_close(struct port_sockets *s);
