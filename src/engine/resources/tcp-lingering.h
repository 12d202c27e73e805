/* Connections that are closed but linger in the kernel (TIME_WAIT): for a minute they keep the port
 * from whoever binds it without SO_REUSEADDR. Those of a container that is restored are its own
 * past and may go: nobody has them any more. That needs CAP_NET_ADMIN over the network namespace.
 */
#pragma once

#include "engine/resources/inet-socket.h"

/* Ends those of the port of `e` in the network namespace of the container; how many, or -errno. */
int tcp_lingering_end(const struct restore *r, const InetSkEntry *e);
