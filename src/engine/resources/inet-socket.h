/* IPv4 and IPv6 sockets: what inet-socket.c and tcp-stream.c tell each other. */
#pragma once

#include <sys/socket.h>

#include "engine/resources/socket.h"

/* States of include/net/tcp_states.h. */
enum tcp_state {
    TCP_STATE_ESTABLISHED = 1,
    TCP_STATE_SYN_SENT,
    TCP_STATE_SYN_RECV,
    TCP_STATE_FIN_WAIT1,
    TCP_STATE_FIN_WAIT2,
    TCP_STATE_TIME_WAIT,
    TCP_STATE_CLOSE,
    TCP_STATE_CLOSE_WAIT,
    TCP_STATE_LAST_ACK,
    TCP_STATE_LISTEN,
    TCP_STATE_CLOSING,
};

/* "10.0.0.1:80", "[::1]:80"; in the arena. */
const char *inet_text(struct arena *a, const struct sockaddr_storage *address);
/* The entry's addresses; their size. */
socklen_t inet_source(const struct restore *r, const InetSkEntry *e, struct sockaddr_storage *ret);
socklen_t inet_destination(const struct restore *r, const InetSkEntry *e,
                           struct sockaddr_storage *ret);

/* engine/resources/tcp-dump.c: notes a connection; tcp_streams_hold does the work once nothing else
 * can be refused. */
int tcp_stream_dump(struct dump *d, const struct descriptor *f, int fd, InetSkEntry *e,
                    struct error *err);
/* engine/resources/tcp-restore.c: into a new socket (`fd` is our copy), which stays in repair mode
 * until tcp_streams_go. */
int tcp_stream_restore(struct maker *m, int fd, InetSkEntry *e, struct error *err);

/* engine/resources/multicast.c: the groups a socket is in. */
int multicast_dump(struct dump *d, int fd, const char *name, const InetSkEntry *e,
                   struct error *err);
int multicast_restore(struct maker *m, int fd, const InetSkEntry *e, struct error *err);
