/* netavark: bridges, their ports and firewall, and aardvark-dns, which it starts for the names.
 * netavark.c is the only file that knows them. */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"

/* The path of netavark; NULL when there is none. The caller frees. */
char *netavark_find(void);
char *netavark_find_dns(void); /* aardvark-dns */
/* `request` is netavark's input: container_id container_name networks network_info port_mappings.
 * `directory` is where aardvark-dns keeps its names. *ret_status is what netavark answers:
 * {"podman": {"interfaces": {"eth0": {"mac_address": "...", "subnets": [{"ipnet": "10.88.0.2/16",
 * "gateway": "10.88.0.1"}]}}, "dns_server_ips": [], "dns_search_domains": []}}. */
int netavark_setup(const struct json *request, const char *netns, const char *directory,
                   struct json **ret_status, struct error *err);
/* With the request of the setup. */
int netavark_teardown(const struct json *request, const char *netns, const char *directory,
                      struct error *err);
