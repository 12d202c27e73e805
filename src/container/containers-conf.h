/* containers.conf, as far as it is about networks: what a container gets that asks for none.
 * Read are /usr/share/containers/containers.conf, /etc/containers/containers.conf with its .d, and
 * the user's in ~/.config/containers, the later ones over the earlier; or only the file of
 * CONTAINERS_CONF. */
#pragma once

#include "base/error.h"

struct containers_conf {
    char *netns; /* [containers] netns: host, private, bridge, none ...; NULL: not said */
    char *rootless_network; /* [network] default_rootless_network_cmd: pasta, slirp4netns */
};

int containers_conf_load(struct containers_conf *ret, struct error *err);
void containers_conf_free(struct containers_conf *c);
#define _cleanup_containers_conf_ _cleanup_(containers_conf_free)
