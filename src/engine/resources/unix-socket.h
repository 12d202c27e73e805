/* What the dump and the restore of unix sockets tell each other. */
#pragma once

#include <linux/sockios.h>
#include <sys/un.h>

#include "engine/resources/socket-queue.h"

#define UNIX_NAME_MAX 108
#define SIOCUNIXFILE  (SIOCPROTOPRIVATE + 0) /* linux/un.h cannot be had besides sys/un.h */

/* Who SO_PEERCRED says is at the other end (of a listening socket: who listens). Extra document:
 * "sockets".ID."owner" = [pid, uid, gid]; inside the container. */
int unix_socket_restore(struct maker *m, const FileEntry *entry, struct error *err);
int unix_socket_finish(struct maker *m, const FileEntry *entry, int fd, struct error *err);
int unix_socket_check(struct restore *r, const FileEntry *entry, struct error *err);
