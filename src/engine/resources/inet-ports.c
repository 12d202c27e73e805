/* Addresses that sockets of a checkpoint were bound to and that others have now. Only of interest
 * where the container will share our network namespace; in one of its own nobody was before. */
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "engine/resources/inet-socket.h"
#include "engine/restore.h"

static bool is_listening(const InetSkEntry *e)
{
    bool datagrams = e->type == SOCK_DGRAM && !e->dst_port;
    return e->src_port && (e->state == TCP_STATE_LISTEN || datagrams) &&
           !(e->opts && e->opts->so_bound_dev);
}

static int try_to_bind(const struct restore *r, const InetSkEntry *e)
{
    struct sockaddr_storage source;
    socklen_t size = inet_source(r, e, &source);
    int yes = 1, only6 = e->has_v6only && e->v6only;
    _cleanup_close_ int fd = socket((int)e->family, (int)e->type | SOCK_CLOEXEC, (int)e->proto);
    if (fd < 0)
        return -errno;
    if (e->type == SOCK_STREAM || (e->opts && e->opts->reuseaddr))
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (e->opts && e->opts->has_so_reuseport && e->opts->so_reuseport)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
    if (e->family == AF_INET6)
        setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &only6, sizeof(only6));
    return bind(fd, (struct sockaddr *)&source, size) < 0 ? -errno : 0;
}

void inet_ports_check(struct restore *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        const InetSkEntry *e = r->files[i]->isk;
        int n = e && is_listening(e) ? try_to_bind(r, e) : 0;
        if (n != -EADDRINUSE && n != -EADDRNOTAVAIL)
            continue;
        struct sockaddr_storage source;
        inet_source(r, e, &source);
        refusals_add(&r->refusals, "the checkpoint needs %s address %s, which %s",
                     e->type == SOCK_STREAM ? "TCP" : "UDP", inet_text(r->arena, &source),
                     n == -EADDRINUSE ? "is in use here" : "this machine does not have");
    }
}
