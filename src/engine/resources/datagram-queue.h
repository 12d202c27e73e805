/* Datagrams in the queue of a UDP socket: a dump looks at them without taking them; a restore sends
 * them again, in the name of who had sent them, from this host to the socket. They do not leave the
 * host. That needs CAP_NET_RAW over the network namespace; without it they are lost, as UDP may. */
#pragma once

#include "engine/resources/inet-socket.h"

/* `fd` is our copy. */
int datagram_queue_dump(struct dump *d, const struct descriptor *f, int fd, const InetSkEntry *e,
                        struct error *err);
/* When all sockets are there; `copy` is ours. */
int datagram_queue_restore(struct maker *m, int copy, const InetSkEntry *e, struct error *err);
