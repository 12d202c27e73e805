/* Connections with the outside must not be answered while their container is down: a process keeps
 * the old sockets (tcp-guard.c), silent, and hands them over to who restores the container. It is
 * found by an abstract unix socket of the host, whose name is in the checkpoint. */
#pragma once

#include "engine/resources/tcp-stream.h"

#define TCP_HANDOVER_SECONDS (15 * 60) /* then the other ends have given up, too */

/* A listening socket of a new name, which is put into the dump's extra document. -errno. */
int tcp_handover_listen(struct dump *d);
/* Until somebody asks, or the time is over. */
void tcp_handover_serve(const struct dump *d, int listener);

/* Takes the old sockets over into r->old_sockets; if nobody has them there are none. */
void tcp_handover_fetch(struct restore *r);
/* Closes the old socket with these addresses, so that a new one can have them. */
void tcp_handover_replace(struct restore *r, const InetSkEntry *e);
