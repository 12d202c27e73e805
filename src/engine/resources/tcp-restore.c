#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/resources/tcp-handover.h"

#define QUEUE_MAX (256u << 20)

/* Bits of opt_mask, as in tcp_info. */
enum { OPTION_TIMESTAMPS = 1, OPTION_SACK = 2, OPTION_WINDOW_SCALE = 4 };
/* Kinds of TCP options (RFC 793, 7323, 2018). */
enum { KIND_MSS = 2, KIND_WINDOW = 3, KIND_SACK_PERMITTED = 4, KIND_TIMESTAMP = 8 };
enum { FIRN_SO_BUF_LOCK = 72 };

struct stream {
    TcpStreamEntry *entry;
    char *received, *sent;
};

static void stream_clear(struct stream *s)
{
    if (s->entry)
        message_free(s->entry);
    free(s->received);
    free(s->sent);
}

static int read_bytes(struct image_reader *reader, uint32_t size, char **ret, struct error *err)
{
    if (size > QUEUE_MAX)
        return image_error(reader, err, "a connection with %u bytes in its queue cannot be", size);
    *ret = xmalloc(size + 1);
    return image_raw(reader, *ret, size, err);
}

static int load(const struct restore *r, uint32_t ino, struct stream *s, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    int n = image_open(r->dirfd, IMAGE_TCP_STREAM, ino, &reader, err);
    if (n == 0)
        n = image_next(reader, (void **)&s->entry, err);
    if (n <= 0)
        return n < 0 ? n : image_error(reader, err, "it is empty");
    if (s->entry->has_unsq_len && s->entry->unsq_len > s->entry->outq_len)
        return image_error(reader, err, "more is unsent than is in the queue");
    n = read_bytes(reader, s->entry->inq_len, &s->received, err);
    return n < 0 ? n : read_bytes(reader, s->entry->outq_len, &s->sent, err);
}

static int set(int fd, int option, int value)
{
    return setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_sequence(int fd, int queue, uint32_t sequence)
{
    int r = set(fd, TCP_REPAIR_QUEUE, queue);
    return r < 0 ? r : set(fd, TCP_QUEUE_SEQ, (int)sequence);
}

/* In repair mode this connects without a packet. */
static int connect_quietly(struct restore *r, int fd, const InetSkEntry *e)
{
    struct sockaddr_storage source, peer;
    socklen_t size = inet_source(r, e, &source), peer_size = inet_destination(r, e, &peer);
    if (bind(fd, (struct sockaddr *)&source, size) < 0)
        return -errno;
    tcp_handover_replace(r, e);
    if (connect(fd, (struct sockaddr *)&peer, peer_size) < 0)
        return -errno;
    return 0;
}

static int set_negotiated(int fd, const TcpStreamEntry *s)
{
    struct tcp_repair_opt options[4];
    socklen_t n = 0;
    options[n++] = (struct tcp_repair_opt){KIND_MSS, s->mss_clamp};
    if (s->opt_mask & OPTION_WINDOW_SCALE)
        options[n++] = (struct tcp_repair_opt){KIND_WINDOW, s->snd_wscale | (s->rcv_wscale << 16)};
    if (s->opt_mask & OPTION_SACK)
        options[n++] = (struct tcp_repair_opt){KIND_SACK_PERMITTED, 0};
    if (s->opt_mask & OPTION_TIMESTAMPS)
        options[n++] = (struct tcp_repair_opt){KIND_TIMESTAMP, 0};
    if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, n * (socklen_t)sizeof(*options)) <
        0)
        return -errno;
    return s->opt_mask & OPTION_TIMESTAMPS ? set(fd, TCP_TIMESTAMP, (int)s->timestamp) : 0;
}

static int set_window(int fd, const TcpStreamEntry *s, bool end_received)
{
    struct tcp_repair_window w = {s->snd_wl1, s->snd_wnd, s->max_window, s->rcv_wnd, s->rcv_wup};
    if (!s->has_snd_wnd || !s->has_rcv_wnd)
        return 0;
    if (end_received && w.rcv_wup == s->inq_seq) /* the FIN is yet to come */
        w.rcv_wup--, w.rcv_wnd++;
    return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &w, sizeof(w)) < 0 ? -errno : 0;
}

static int fill(int fd, int queue, const char *data, size_t size)
{
    int r = set(fd, TCP_REPAIR_QUEUE, queue);
    while (r == 0 && size > 0) {
        ssize_t n = send(fd, data, size < 65536 ? size : 65536, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        size -= (size_t)n;
    }
    return r;
}

/* Beyond net.core.[rw]mem_max only with CAP_NET_ADMIN in the initial user namespace. */
static bool grow(int fd, int forced, int plain, int size, uint32_t needed)
{
    int got = 0;
    socklen_t length = sizeof(got);
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) == 0)
        return true;
    setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
    return getsockopt(fd, SOL_SOCKET, plain, &got, &length) == 0 && (uint32_t)got / 2 >= needed;
}

/* Room for what was in the queues; afterwards a buffer grows by itself again if it did before. */
static int make_room(int fd, const SkOptsEntry *o, const TcpStreamEntry *s)
{
    int receive = (int)(o->so_rcvbuf / 2), send = (int)(o->so_sndbuf / 2);
    int lock = o->has_so_buf_lock ? (int)o->so_buf_lock : 0;
    receive = receive < (int)s->inq_len * 2 ? (int)s->inq_len * 2 : receive;
    send = send < (int)s->outq_len * 2 ? (int)s->outq_len * 2 : send;
    if (!grow(fd, SO_RCVBUFFORCE, SO_RCVBUF, receive, s->inq_len) ||
        !grow(fd, SO_SNDBUFFORCE, SO_SNDBUF, send, s->outq_len))
        return -ENOBUFS;
    setsockopt(fd, SOL_SOCKET, FIRN_SO_BUF_LOCK, &lock, sizeof(lock));
    return 0;
}

static int repair(struct restore *r, int fd, const InetSkEntry *e, const struct stream *s)
{
    const TcpStreamEntry *t = s->entry;
    bool end_received = tcp_end_received(e->state), end_sent = tcp_end_sent(e->state);
    int n = set(fd, TCP_REPAIR, TCP_REPAIR_ON);
    if (n == 0)
        n = set_sequence(fd, TCP_RECV_QUEUE, t->inq_seq - t->inq_len - end_received);
    if (n == 0)
        n = set_sequence(fd, TCP_SEND_QUEUE, t->outq_seq - t->outq_len - end_sent);
    if (n == 0)
        n = connect_quietly(r, fd, e);
    if (n == 0)
        n = set_negotiated(fd, t);
    if (n == 0)
        n = make_room(fd, e->opts, t);
    if (n == 0)
        n = fill(fd, TCP_RECV_QUEUE, s->received, t->inq_len);
    if (n == 0)
        n = fill(fd, TCP_SEND_QUEUE, s->sent, t->outq_len - t->unsq_len);
    if (n == 0)
        n = set(fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
    return n < 0 ? n : set_window(fd, t, end_received);
}

static void keep(struct restore *r, int fd, InetSkEntry *e, struct stream *s)
{
    const TcpStreamEntry *t = s->entry;
    array_reserve(r->connections, r->connection_count, r->connection_room);
    r->connections[r->connection_count++] = (struct tcp_revived){
        .fd = fd,
        .socket = e,
        .sequence = t->inq_seq - 1,
        .acknowledged = t->outq_seq - t->outq_len - tcp_end_sent(e->state),
        .unsent = arena_memdup(r->arena, s->sent + (t->outq_len - t->unsq_len), t->unsq_len),
        .unsent_size = t->unsq_len,
    };
}

int tcp_stream_restore(struct maker *m, int fd, InetSkEntry *e, struct error *err)
{
    _cleanup_(stream_clear) struct stream s = {0};
    struct restore *r = m->restore;
    struct sockaddr_storage peer;
    int n = load(r, e->ino, &s, err);
    if (n < 0)
        return n;
    n = repair(r, fd, e, &s);
    inet_destination(r, e, &peer);
    if (n == -ENOBUFS)
        return error_set(err, ENOBUFS,
                         "what is on the way in the TCP connection of process %d from port %u is "
                         "more than an ordinary user may have in a queue: root can raise "
                         "net.core.rmem_max and net.core.wmem_max",
                         m->task->vpid, e->src_port);
    if (n < 0)
        return error_errno(err, -n,
                           "the TCP connection of process %d from port %u to %s cannot be brought "
                           "back",
                           m->task->vpid, e->src_port, inet_text(r->arena, &peer));
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return error_errno(err, errno, "cannot keep a socket");
    keep(r, copy, e, &s);
    return 0;
}

/* All at once, at the very end: a restore that fails before leaves the other ends waiting. */
void tcp_streams_go(struct restore *r)
{
    for (size_t i = 0; i < r->connection_count; i++) {
        set(r->connections[i].fd, TCP_REPAIR, TCP_REPAIR_OFF);
        tcp_reuse_again(r->connections[i].fd, r->connections[i].socket);
    }
    for (size_t i = 0; i < r->connection_count; i++) {
        const struct tcp_revived *t = &r->connections[i];
        if (t->unsent_size)
            send(t->fd, t->unsent, t->unsent_size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (tcp_end_received(t->socket->state))
            tcp_inject_end(r, t);
        if (tcp_end_sent(t->socket->state))
            shutdown(t->fd, SHUT_WR);
    }
    tcp_streams_drop(r);
}

/* Nobody continues it: where connections are to be closed the other end is told. */
static void end_old(int fd, bool tell)
{
    struct linger at_once = {1, 0};
    if (fd < 0)
        return;
    if (tell) {
        set(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    close(fd);
}

void tcp_streams_drop(struct restore *r)
{
    for (size_t i = 0; i < r->old_socket_count; i++)
        end_old(r->old_sockets[i], r->options.tcp_close && !r->options.tcp_established);
    free(r->old_sockets);
    r->old_sockets = NULL;
    r->old_socket_count = r->old_socket_room = 0;
    for (size_t i = 0; i < r->connection_count; i++)
        close(r->connections[i].fd);
    free(r->connections);
    r->connections = NULL;
    r->connection_count = r->connection_room = 0;
}
