/* What the kernel tells of all unix sockets of the container's network namespace (sock_diag(7)). */
#pragma once

#include "engine/dump.h"

struct unix_diag {
    uint32_t ino;
    uint8_t type, state;
    bool has_peer; /* connected once; `peer` is 0 if the other end is gone or not accepted yet */
    uint32_t peer;
    uint8_t shutdown;        /* 1: for reading, 2: for writing */
    uint32_t queue, backlog; /* of a listening socket: connections waiting, and their limit */
    uint32_t *waiting;       /* the other ends of the connections waiting */
    size_t waiting_count;
};

struct unix_diag_table {
    struct unix_diag *sockets;
    size_t count, room;
};

/* Loaded at the first call; it does not change while the container stands still. `ret` becomes NULL
 * for a socket that is not in the namespace. */
int unix_diag_find(struct dump *d, uint32_t ino, const struct unix_diag **ret, struct error *err);
/* The listening socket where the connection of socket `ino` waits to be accepted, or NULL. */
const struct unix_diag *unix_diag_waits_at(const struct dump *d, uint32_t ino);
/* The file that a socket of the container's network namespace or of ours is bound to; `dev` as the
 * kernel numbers it, major << 20 | minor. 0 or -errno. */
int unix_diag_bound(const struct dump *d, uint32_t ino, uint32_t *ret_dev, uint64_t *ret_ino);
