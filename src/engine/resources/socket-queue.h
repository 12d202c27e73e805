/* What stands in the queue of a unix socket: read by a dump without taking anything out, and put
 * back by sending it again. */
#pragma once

#include "engine/resources/socket.h"

/* Adds the queue of the socket (`fd` is our copy) to the dump's packets. */
int socket_queue_dump(struct dump *d, const struct descriptor *f, int fd, uint32_t id,
                      struct error *err);

/* The same of a UDP socket. */
int socket_queue_dump_datagrams(struct dump *d, const struct descriptor *f, int fd, uint32_t id,
                                struct error *err);

/* A packet of sk-queues.img. */
struct socket_packet {
    uint32_t id_for;
    size_t size;
    void *data;
    uint32_t *rights; /* ids of the files sent along */
    size_t rights_count;
    int64_t pid, uid, gid; /* who sent it; pid -1: not said */
    void *from;            /* name of the sender */
    size_t from_size;
};

struct socket_packets {
    struct socket_packet *list;
    size_t count, room;
};
