/* Established TCP connections, kept by TCP_REPAIR: a socket in repair mode sends nothing, not even
 * when it is closed, and tells its sequence numbers, windows and queues. */
#pragma once

#include "engine/resources/inet-socket.h"

/* A connection that is being dumped. */
struct tcp_held {
    int fd; /* our copy */
    InetSkEntry *socket;
    TcpStreamEntry *stream;
    void *received, *sent;
};

/* A connection that is being restored, until the container is let go. */
struct tcp_revived {
    int fd;
    InetSkEntry *socket;
    uint32_t sequence, acknowledged; /* of a packet that the other end would send now */
    void *unsent;
    size_t unsent_size;
};

/* The end of the repair mode takes SO_REUSEADDR away: a server that is started again while its old
 * connections linger could not have its port. */
void tcp_reuse_again(int fd, const InetSkEntry *e);
/* Lets all go on as if nothing had been; a window probe brings what was missed meanwhile. */
void tcp_streams_unhold(struct dump *d);
/* Is the other end in the container, too? */
bool tcp_has_both_ends(const struct dump *d, const InetSkEntry *e);
int tcp_guard_start(struct dump *d);
void tcp_guard_end(struct dump *d, bool keep);

bool tcp_end_sent(uint32_t state);     /* we have sent our FIN */
bool tcp_end_received(uint32_t state); /* we have received the other end's */
/* The other end's last packet once more: its FIN. Returns 0 or -errno. */
int tcp_inject_end(const struct restore *r, const struct tcp_revived *t);
