/* The socket the service listens on. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct listener {
    int fd;
    char *path; /* of a socket we made and have to remove; NULL otherwise */
    bool network;
};

/* `uri` is "unix:///path", "tcp://host:port", a path, or NULL: the socket systemd has handed us
 * (LISTEN_FDS), else /run/firn/firn.sock, for an ordinary user firn.sock in his run directory. A
 * socket that a dead service has left is replaced; one that answers is an error. */
int listener_open(const char *uri, struct listener *ret, struct error *err);
void listener_close(struct listener *l);
