/* What the sockets of all families have in common. A restored socket is made by its process (so
 * that owner and cgroup are right) and set up by us, through a copy of its descriptor: options may
 * need rights that the process will not have. What rights the container has is checked instead. */
#pragma once

#include "engine/resources/resource.h"
#include "engine/restore.h"

/* AF_..., SOCK_..., IPPROTO_... of a socket, as getsockopt(2) tells them. */
struct socket_kind {
    int family, type, protocol;
};
int socket_kind(int fd, struct socket_kind *ret);
/* The family if the descriptor is a socket, else -1. */
int socket_family(const struct descriptor *f);
int socket_int(int fd, int level, int option, int otherwise);

/* Enters the network namespace of a process; `ret_back` (-1: it is ours already) is for
 * socket_leave_network. */
int socket_enter_network(pid_t pid, int *ret_back, struct error *err);
void socket_leave_network(int back);

/* Options: what CRIU's messages have a place for goes there, the others by name into the extra
 * document. The messages may be NULL where they do not apply. */
struct socket_options {
    SkOptsEntry *opts;
    TcpOptsEntry *tcp;
    IpOptsEntry *ip;
    struct json *extra; /* {"IP_RECVTTL": 1, ...}; NULL: none */
};

/* Makes the messages that fit the kind. `name` is who has it, for errors. */
int socket_options_dump(struct dump *d, int fd, const char *name, uint32_t id,
                        struct socket_options *ret, struct error *err);
/* All but those that must wait (late) until the socket is bound and connected. */
int socket_options_restore(struct maker *m, int fd, const struct socket_options *o, struct error *);
int socket_options_restore_late(struct maker *m, int fd, const struct socket_options *o,
                                struct error *err);
/* Whether processes of this container may have the capability. */
bool socket_may(const struct restore *r, int capability);

/* A socket in the maker's process, and our own copy of it in *ret_copy. */
int socket_make(struct maker *m, struct socket_kind kind, uint32_t flags, int *ret_copy,
                struct error *err);
/* Our own copy of a descriptor of a restored process. */
int socket_copy(const struct task *t, int fd, struct error *err);
