/* TCP, UDP, UDPLITE, ping and raw sockets of IPv4 and IPv6. */
#include "engine/resources/datagram-queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "engine/resources/tcp-lingering.h"

#define BACKLOG_MAX (1 << 20)

static const struct {
    int type, protocol; /* protocol -1: any */
} known[] = {
    {SOCK_STREAM, IPPROTO_TCP}, {SOCK_DGRAM, IPPROTO_UDP},    {SOCK_DGRAM, IPPROTO_UDPLITE},
    {SOCK_DGRAM, IPPROTO_ICMP}, {SOCK_DGRAM, IPPROTO_ICMPV6}, {SOCK_RAW, -1},
};

static bool is_known(int type, int protocol)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].type == type && (known[i].protocol < 0 || known[i].protocol == protocol))
            return true;
    return false;
}

static bool match(const struct descriptor *f)
{
    int family = socket_family(f);
    return family == AF_INET || family == AF_INET6;
}

/* ---- addresses ---- */

const char *inet_text(struct arena *a, const struct sockaddr_storage *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        return arena_printf(a, "[%s]:%u", text, ntohs(in6->sin6_port));
    }
    const struct sockaddr_in *in = (const void *)address;
    inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
    return arena_printf(a, "%s:%u", text, ntohs(in->sin_port));
}

static void keep_address(struct dump *d, uint32_t id, const struct sockaddr_storage *from,
                         uint32_t **words, size_t *count, uint32_t *port)
{
    const struct sockaddr_in *in = (const void *)from;
    const struct sockaddr_in6 *in6 = (const void *)from;
    bool six = from->ss_family == AF_INET6;
    *count = six ? 4 : 1;
    *words = arena_memdup(d->arena, six ? (const void *)&in6->sin6_addr : &in->sin_addr,
                          *count * sizeof(uint32_t));
    *port = ntohs(six ? in6->sin6_port : in->sin_port);
    if (six && in6->sin6_scope_id)
        js_set(extra_of(d->extra, "sockets", id), "scope", js_int(in6->sin6_scope_id));
}

static socklen_t make_address(uint32_t family, const uint32_t *words, size_t count, uint32_t port,
                              int64_t scope, struct sockaddr_storage *ret)
{
    *ret = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
    struct sockaddr_in *in = (void *)ret;
    struct sockaddr_in6 *in6 = (void *)ret;
    if (family == AF_INET6) {
        in6->sin6_port = htons((uint16_t)port);
        in6->sin6_scope_id = (uint32_t)scope;
        if (count == 4)
            memcpy(&in6->sin6_addr, words, 16);
        return sizeof(*in6);
    }
    in->sin_port = htons((uint16_t)port);
    if (count == 1)
        memcpy(&in->sin_addr, words, 4);
    return sizeof(*in);
}

static int64_t scope_of(const struct restore *r, const InetSkEntry *e)
{
    return js_get_int(extra_find(r->extra, "sockets", e->id), "scope", 0);
}

socklen_t inet_source(const struct restore *r, const InetSkEntry *e, struct sockaddr_storage *ret)
{
    return make_address(e->family, e->src_addr, e->n_src_addr, e->src_port, scope_of(r, e), ret);
}

socklen_t inet_destination(const struct restore *r, const InetSkEntry *e,
                           struct sockaddr_storage *ret)
{
    return make_address(e->family, e->dst_addr, e->n_dst_addr, e->dst_port, scope_of(r, e), ret);
}

/* ---- dump ---- */

static InetSkEntry *new_entry(struct dump *d, const struct descriptor *f, FileEntry *entry,
                              struct socket_kind kind)
{
    InetSkEntry *e = arena_new_of(d->arena, InetSkEntry);
    inet_sk_entry__init(e);
    e->id = entry->id;
    e->ino = (uint32_t)f->st.st_ino;
    e->family = (uint32_t)kind.family;
    e->type = (uint32_t)kind.type;
    e->proto = (uint32_t)kind.protocol;
    e->flags = f->flags;
    e->fown = descriptor_owner(d, f);
    entry->type = FD_TYPES__INETSK;
    entry->isk = e;
    return e;
}

/* A socket may be of another network namespace than the process that holds it. */
static bool is_foreign(struct dump *d, int fd)
{
    char path[64];
    struct stat its, theirs;
    _cleanup_close_ int ns = ioctl(fd, SIOCGSKNS);
    snprintf(path, sizeof(path), "/proc/%d/ns/net", d->options.init);
    return ns >= 0 && fstat(ns, &its) == 0 && stat(path, &theirs) == 0 &&
           its.st_ino != theirs.st_ino;
}

static int dump_addresses(struct dump *d, int fd, InetSkEntry *e, const char **ret_peer)
{
    struct sockaddr_storage source = {0}, peer = {0};
    socklen_t size = sizeof(source), peer_size = sizeof(peer);
    if (getsockname(fd, (struct sockaddr *)&source, &size) < 0)
        return -errno;
    keep_address(d, e->id, &source, &e->src_addr, &e->n_src_addr, &e->src_port);
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0) {
        keep_address(d, e->id, &peer, &e->dst_addr, &e->n_dst_addr, &e->dst_port);
        *ret_peer = inet_text(d->arena, &peer);
    }
    return 0;
}

static short poll_now(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};
    return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

static void mark_closed(struct dump *d, InetSkEntry *e)
{
    e->state = TCP_STATE_CLOSE;
    js_set(extra_of(d->extra, "sockets", e->id), "closed", js_bool(true));
}

static int dump_listening(struct dump *d, const char *name, const struct tcp_info *info,
                          InetSkEntry *e, struct error *err)
{
    e->backlog = info->tcpi_sacked; /* of a listening socket these are its limit and its queue */
    if (info->tcpi_unacked && !d->options.tcp_established && !d->options.tcp_close)
        return error_set(err, ENOTSUP,
                         "%s is a TCP socket listening on port %u with %u connections that are not "
                         "accepted yet: try again, or use --tcp-close, which resets them",
                         name, e->src_port, info->tcpi_unacked);
    return 0;
}

static int dump_connected(struct dump *d, const struct descriptor *f, int fd, InetSkEntry *e,
                          const char *peer, struct error *err)
{
    if (d->options.tcp_close && !d->options.tcp_established) {
        mark_closed(d, e);
        return 0;
    }
    if (!d->options.tcp_established)
        return error_set(err, ENOTSUP,
                         "%s is a TCP connection with %s: use --tcp-established to keep it, or "
                         "--tcp-close to have it closed",
                         descriptor_name(d, f), peer ? peer : "an unknown peer");
    return e->state == TCP_STATE_SYN_SENT ? 0 : tcp_stream_dump(d, f, fd, e, err);
}

/* getpeername(2) tells it only when the other end has answered. */
static void dump_wanted_peer(struct dump *d, int fd, InetSkEntry *e, const char **ret_peer)
{
    struct sockaddr_storage peer = {0};
    socklen_t size =
        e->family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &peer, &size) < 0)
        return;
    keep_address(d, e->id, &peer, &e->dst_addr, &e->n_dst_addr, &e->dst_port);
    *ret_peer = inet_text(d->arena, &peer);
}

static int dump_tcp(struct dump *d, const struct descriptor *f, int fd, InetSkEntry *e,
                    const char *peer, struct error *err)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    char layer[32] = "";
    socklen_t layer_size = sizeof(layer) - 1;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return error_errno(err, errno, "cannot look at %s", descriptor_name(d, f));
    if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, layer, &layer_size) == 0 && layer[0])
        return error_set(err, ENOTSUP,
                         "%s is a TCP connection with %s in the kernel, which firn "
                         "cannot save",
                         descriptor_name(d, f), layer);
    e->state = info.tcpi_state;
    if (e->state == TCP_STATE_LISTEN)
        return dump_listening(d, descriptor_name(d, f), &info, e, err);
    if (e->state == TCP_STATE_SYN_SENT)
        dump_wanted_peer(d, fd, e, &peer);
    if (e->state != TCP_STATE_CLOSE)
        return dump_connected(d, f, fd, e, peer, err);
    if (poll_now(fd) & (POLLRDHUP | POLLERR))
        mark_closed(d, e); /* was connected once */
    return 0;
}

static int dump_datagram(struct dump *d, const struct descriptor *f, int fd, InetSkEntry *e,
                         struct error *err)
{
    short now = poll_now(fd);
    e->state = e->n_dst_addr ? TCP_STATE_ESTABLISHED : TCP_STATE_CLOSE;
    e->has_shutdown = now & POLLRDHUP;
    e->shutdown = now & POLLHUP ? SK_SHUTDOWN__BOTH : SK_SHUTDOWN__READ;
    int r = multicast_dump(d, fd, descriptor_name(d, f), e, err);
    return r < 0 ? r : datagram_queue_dump(d, f, fd, e, err);
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    const char *name = descriptor_name(d, f), *peer = NULL;
    _cleanup_close_ int fd = descriptor_borrow(f);
    struct socket_kind kind;
    if (fd < 0 || socket_kind(fd, &kind) < 0)
        return error_errno(err, fd < 0 ? -fd : errno, "cannot look at %s", name);
    if (!is_known(kind.type, kind.protocol))
        return error_set(err, ENOTSUP,
                         "%s is a socket of internet protocol %d (type %d), which firn cannot save",
                         name, kind.protocol, kind.type);
    if (is_foreign(d, fd))
        return error_set(err, ENOTSUP,
                         "%s is a socket of another network namespace, which firn cannot save",
                         name);
    InetSkEntry *e = new_entry(d, f, entry, kind);
    int r = dump_addresses(d, fd, e, &peer);
    if (r < 0)
        return error_errno(err, -r, "cannot read the address of %s", name);
    struct socket_options o;
    r = socket_options_dump(d, fd, name, entry->id, &o, err);
    e->opts = o.opts;
    e->ip_opts = o.ip;
    e->tcp_opts = o.tcp;
    e->has_v6only = kind.family == AF_INET6;
    e->v6only = kind.family == AF_INET6 && socket_int(fd, SOL_IPV6, IPV6_V6ONLY, 0);
    if (r < 0)
        return r;
    return kind.protocol == IPPROTO_TCP && kind.type == SOCK_STREAM
               ? dump_tcp(d, f, fd, e, peer, err)
               : dump_datagram(d, f, fd, e, err);
}

/* ---- restore ---- */

static bool is_tcp(const InetSkEntry *e)
{
    return e->type == SOCK_STREAM;
}

static bool is_kept(const struct restore *r, const InetSkEntry *e)
{
    return is_tcp(e) && e->state != TCP_STATE_LISTEN && e->state != TCP_STATE_CLOSE &&
           e->state != TCP_STATE_SYN_SENT && r->options.tcp_established;
}

/* Refused before anything is done: what is wrong, and what the options do not allow. */
static int check(struct restore *r, const FileEntry *entry, struct error *err)
{
    const InetSkEntry *e = entry->isk;
    if (!e || (e->family != AF_INET && e->family != AF_INET6) || e->proto > 255 ||
        !is_known((int)e->type, (int)e->proto) || e->src_port > 65535 || e->dst_port > 65535 ||
        e->backlog > BACKLOG_MAX || (e->state == TCP_STATE_LISTEN && !is_tcp(e)))
        return error_set(err, EINVAL, "the checkpoint's socket %u is not one that can be",
                         entry->id);
    size_t words = e->family == AF_INET6 ? 4 : 1;
    if ((e->n_src_addr && e->n_src_addr != words) || (e->n_dst_addr && e->n_dst_addr != words))
        return error_set(err, EINVAL, "the checkpoint's socket %u has a wrong address", entry->id);
    struct sockaddr_storage peer;
    inet_destination(r, e, &peer);
    if (is_tcp(e) && e->state != TCP_STATE_LISTEN && e->state != TCP_STATE_CLOSE &&
        !r->options.tcp_established && !r->options.tcp_close)
        return error_set(err, ENOTSUP,
                         "the checkpoint holds a TCP connection with %s: use --tcp-established to "
                         "bring it back, or --tcp-close to have it closed",
                         inet_text(r->arena, &peer));
    if (is_kept(r, e) && !image_exists(r->dirfd, IMAGE_TCP_STREAM, e->ino))
        return error_set(err, EINVAL,
                         "the checkpoint lacks the state of its TCP connection with %s",
                         inet_text(r->arena, &peer));
    return 0;
}

static int set_v6only(int fd, const InetSkEntry *e)
{
    int on = e->has_v6only && e->v6only;
    if (e->family != AF_INET6 || !e->has_v6only || e->proto == IPPROTO_ICMPV6)
        return 0;
    return setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on));
}

static bool is_bound(const InetSkEntry *e)
{
    for (size_t i = 0; i < e->n_src_addr; i++)
        if (e->src_addr[i])
            return true;
    return e->src_port && e->type != SOCK_RAW;
}

/* 0, or -errno without error text if the kernel does not want it. */
static int bind_to(struct maker *m, int fd, const struct sockaddr_storage *at, socklen_t size,
                   struct error *err)
{
    batch_reset(m->batch);
    remote_addr address = batch_data(m->batch, at, size);
    size_t call = batch_try(m->batch, SYS_bind, (uint64_t)fd, address, size);
    int n = batch_run(m->batch, err);
    return n < 0 ? n : (int)batch_result(m->batch, call);
}

/* By its process: what ports it may have is its own right. */
static int bind_again(struct maker *m, int fd, int copy, const InetSkEntry *e, struct error *err)
{
    struct sockaddr_storage source;
    socklen_t size = inet_source(m->restore, e, &source);
    int yes = 1;
    if (!is_bound(e))
        return 0;
    if (e->type == SOCK_RAW)
        ((struct sockaddr_in *)&source)->sin_port = 0;
    if (is_tcp(e)) /* connections that linger from before are in nobody's way */
        setsockopt(copy, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    int n = bind_to(m, fd, &source, size, err);
    if (n == -EADDRINUSE && is_tcp(e) && tcp_lingering_end(m->restore, e) > 0)
        n = bind_to(m, fd, &source, size, err);
    if (n < 0 && !err->code)
        return error_errno(err, -n, "process %d cannot use %s address %s again", m->task->vpid,
                           is_tcp(e) ? "TCP" : "network", inet_text(m->restore->arena, &source));
    return n;
}

static int connect_again(struct maker *m, int copy, const InetSkEntry *e, struct error *err)
{
    struct sockaddr_storage peer;
    socklen_t size = inet_destination(m->restore, e, &peer);
    if (connect(copy, (struct sockaddr *)&peer, size) < 0 && errno != EINPROGRESS)
        return error_errno(err, errno, "a socket of process %d cannot be connected to %s again",
                           m->task->vpid, inet_text(m->restore->arena, &peer));
    return 0;
}

/* A connection that is over: one with ourselves whose other end is closed. Without a loopback
 * device it stays unconnected, which programs take for an error just as well. */
static int end_connection(int copy, const InetSkEntry *e)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)e->family};
    socklen_t size =
        e->family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (e->family == AF_INET6)
        ((struct sockaddr_in6 *)&address)->sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
    else
        ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    _cleanup_close_ int listener = socket((int)e->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int flags = fcntl(copy, F_GETFL);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        return 0;
    fcntl(copy, F_SETFL, flags & ~O_NONBLOCK);
    int r = connect(copy, (struct sockaddr *)&address, size);
    fcntl(copy, F_SETFL, flags);
    _cleanup_close_ int peer = r < 0 ? -1 : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    return 0;
}

static int end_in_network(struct maker *m, int copy, const InetSkEntry *e, struct error *err)
{
    int back;
    int n = socket_enter_network(m->restore->init, &back, err);
    if (n < 0)
        return n;
    n = end_connection(copy, e);
    socket_leave_network(back);
    return n;
}

static int listen_again(struct maker *m, int copy, const InetSkEntry *e, struct error *err)
{
    if (listen(copy, (int)e->backlog) < 0)
        return error_errno(err, errno, "process %d cannot listen on port %u again", m->task->vpid,
                           e->src_port);
    return 0;
}

static int set_up_tcp(struct maker *m, int fd, int copy, InetSkEntry *e, const struct json *extra,
                      struct error *err)
{
    bool over = e->state == TCP_STATE_CLOSE
                    ? js_get_bool(extra, "closed", false)
                    : e->state != TCP_STATE_LISTEN && !m->restore->options.tcp_established;
    if (over)
        return end_in_network(m, copy, e, err);
    if (e->state != TCP_STATE_LISTEN && e->state != TCP_STATE_CLOSE &&
        e->state != TCP_STATE_SYN_SENT)
        return tcp_stream_restore(m, copy, e, err);
    int n = bind_again(m, fd, copy, e, err);
    if (n == 0 && e->state == TCP_STATE_LISTEN)
        n = listen_again(m, copy, e, err);
    return n;
}

static int open_anew(struct maker *m, int copy, const InetSkEntry *e, struct error *err)
{
    int flags = fcntl(copy, F_GETFL);
    fcntl(copy, F_SETFL, flags | O_NONBLOCK);
    int n = connect_again(m, copy, e, err);
    fcntl(copy, F_SETFL, flags);
    return n;
}

/* A connection that was being opened is opened anew when all who listen do. */
static int finish(struct maker *m, const FileEntry *entry, int fd, struct error *err)
{
    const InetSkEntry *e = entry->isk;
    bool opening = e->state == TCP_STATE_SYN_SENT && m->restore->options.tcp_established;
    if (is_tcp(e) && !opening)
        return 0;
    _cleanup_close_ int copy = socket_copy(m->task, fd, err);
    return copy < 0    ? copy
           : is_tcp(e) ? open_anew(m, copy, e, err)
                       : datagram_queue_restore(m, copy, e, err);
}

static int set_up_datagram(struct maker *m, int fd, int copy, const InetSkEntry *e,
                           struct error *err)
{
    int n = bind_again(m, fd, copy, e, err);
    if (n == 0)
        n = multicast_restore(m, copy, e, err);
    if (n == 0 && e->n_dst_addr)
        n = connect_again(m, copy, e, err);
    if (n == 0 && e->has_shutdown && e->shutdown)
        shutdown(copy, (int)e->shutdown - 1);
    return n;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    InetSkEntry *e = entry->isk;
    const struct json *extra = extra_find(m->restore->extra, "sockets", entry->id);
    struct socket_options o = {e->opts, e->tcp_opts, e->ip_opts, js_get(extra, "options")};
    struct socket_kind kind = {(int)e->family, (int)e->type, (int)e->proto};
    _cleanup_close_ int copy = -1;
    int fd = socket_make(m, kind, e->flags, &copy, err);
    if (fd < 0)
        return fd;
    int n = socket_options_restore(m, copy, &o, err);
    if (n == 0 && set_v6only(copy, e) < 0)
        n = error_errno(err, errno, "cannot set IPV6_V6ONLY of a socket of process %d again",
                        m->task->vpid);
    if (n == 0)
        n = is_tcp(e) ? set_up_tcp(m, fd, copy, e, extra, err)
                      : set_up_datagram(m, fd, copy, e, err);
    if (n == 0)
        n = socket_options_restore_late(m, copy, &o, err);
    return n < 0 ? n : fd;
}

const struct resource resource_inet_socket = {.name = "internet socket",
                                              .type = FD_TYPES__INETSK,
                                              .match = match,
                                              .dump = dump,
                                              .restore = restore,
                                              .finish = finish,
                                              .check = check};
