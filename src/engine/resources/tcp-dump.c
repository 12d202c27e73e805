#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/resources/tcp-stream.h"

int tcp_stream_dump(struct dump *d, const struct descriptor *f, int fd, InetSkEntry *e,
                    struct error *err)
{
    int copy = dup(fd);
    if (copy < 0)
        return error_errno(err, errno, "cannot keep %s", descriptor_name(d, f));
    array_reserve(d->connections, d->connection_count, d->connection_room);
    d->connections[d->connection_count++] = (struct tcp_held){.fd = copy, .socket = e};
    return 0;
}

bool tcp_end_sent(uint32_t state)
{
    return state == TCP_STATE_FIN_WAIT1 || state == TCP_STATE_FIN_WAIT2 ||
           state == TCP_STATE_CLOSING || state == TCP_STATE_LAST_ACK;
}

bool tcp_end_received(uint32_t state)
{
    return state == TCP_STATE_CLOSE_WAIT || state == TCP_STATE_CLOSING ||
           state == TCP_STATE_LAST_ACK;
}

/* From here on nothing that arrives is acknowledged: the other end will send it again. */
static int go_deaf(struct tcp_held *h)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &nothing};
    if (setsockopt(h->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        return -errno;
    return 0;
}

static void hear_again(struct tcp_held *h)
{
    const SkOptsEntry *o = h->socket->opts;
    struct sock_fprog program = {(unsigned short)o->n_so_filter,
                                 (struct sock_filter *)(void *)o->so_filter};
    int none = 0;
    if (o->n_so_filter)
        setsockopt(h->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
    else
        setsockopt(h->fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none));
}

static int choose_queue(int fd, int queue)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) < 0 ? -errno : 0;
}

/* `end` is the sequence number behind the last byte of the queue. */
static int read_queue(struct dump *d, int fd, int queue, uint32_t size, uint32_t *ret_end,
                      void **ret_data)
{
    socklen_t length = sizeof(*ret_end);
    int r = choose_queue(fd, queue);
    if (r == 0 && getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, ret_end, &length) < 0)
        r = -errno;
    *ret_data = arena_alloc(d->arena, size + 1);
    if (r == 0 && size) {
        ssize_t n = recv(fd, *ret_data, size, MSG_PEEK | MSG_DONTWAIT);
        r = n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
    }
    return r;
}

static int read_queues(struct dump *d, struct tcp_held *h)
{
    TcpStreamEntry *s = h->stream;
    int received = 0, unacknowledged = 0, unsent = 0;
    if (ioctl(h->fd, SIOCINQ, &received) < 0 || ioctl(h->fd, SIOCOUTQ, &unacknowledged) < 0 ||
        ioctl(h->fd, SIOCOUTQNSD, &unsent) < 0)
        return -errno;
    /* A FIN that is on its way counts like a byte. */
    uint32_t end = tcp_end_sent(h->socket->state);
    s->inq_len = (uint32_t)received;
    s->outq_len = (uint32_t)unacknowledged - (unacknowledged > 0 ? end : 0);
    s->has_unsq_len = true;
    s->unsq_len = (uint32_t)unsent - (unsent > 0 ? end : 0);
    int r = read_queue(d, h->fd, TCP_RECV_QUEUE, s->inq_len, &s->inq_seq, &h->received);
    if (r == 0)
        r = read_queue(d, h->fd, TCP_SEND_QUEUE, s->outq_len, &s->outq_seq, &h->sent);
    choose_queue(h->fd, TCP_NO_QUEUE);
    return r;
}

static int read_state(struct tcp_held *h)
{
    TcpStreamEntry *s = h->stream;
    struct tcp_info info = {0};
    struct tcp_repair_window w = {0};
    socklen_t size = sizeof(info), window_size = sizeof(w);
    if (getsockopt(h->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return -errno;
    h->socket->state = info.tcpi_state;
    s->opt_mask = info.tcpi_options;
    s->snd_wscale = info.tcpi_snd_wscale;
    s->has_rcv_wscale = true;
    s->rcv_wscale = info.tcpi_rcv_wscale;
    s->mss_clamp = (uint32_t)socket_int(h->fd, IPPROTO_TCP, TCP_MAXSEG, 536);
    s->has_timestamp = true;
    s->timestamp = (uint32_t)socket_int(h->fd, IPPROTO_TCP, TCP_TIMESTAMP, 0);
    if (getsockopt(h->fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &w, &window_size) < 0)
        return -errno;
    s->has_snd_wl1 = s->has_snd_wnd = s->has_max_window = s->has_rcv_wnd = s->has_rcv_wup = true;
    s->snd_wl1 = w.snd_wl1;
    s->snd_wnd = w.snd_wnd;
    s->max_window = w.max_window;
    s->rcv_wnd = w.rcv_wnd;
    s->rcv_wup = w.rcv_wup;
    return 0;
}

static int hold(struct dump *d, struct tcp_held *h)
{
    int on = TCP_REPAIR_ON;
    int r = go_deaf(h);
    if (r == 0 && setsockopt(h->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
        r = -errno;
    h->stream = arena_new_of(d->arena, TcpStreamEntry);
    tcp_stream_entry__init(h->stream);
    if (r == 0)
        r = read_state(h);
    return r < 0 ? r : read_queues(d, h);
}

static int check_helper(const struct dump *d, struct error *err)
{
    for (size_t i = 0; d->options.network_helper && i < d->connection_count; i++) {
        const InetSkEntry *e = d->connections[i].socket;
        if (tcp_has_both_ends(d, e))
            continue;
        return error_set(err, ENOTSUP,
                         "the TCP connection of port %u of container %s with port %u outside "
                         "cannot be kept: its outer half belongs to %s, which ends with the "
                         "container; --tcp-close closes it instead",
                         e->src_port, d->options.name, e->dst_port, d->options.network_helper);
    }
    return 0;
}

int tcp_streams_hold(struct dump *d, struct error *err)
{
    int r = check_helper(d, err);
    if (r < 0)
        return r;
    int started = d->connection_count ? tcp_guard_start(d) : 0;
    if (started < 0)
        return error_errno(err, -started, "cannot guard the TCP connections of container %s",
                           d->options.name);
    for (size_t i = 0; i < d->connection_count; i++) {
        struct tcp_held *h = &d->connections[i];
        r = hold(d, h);
        if (r == 0 && h->socket->state == TCP_STATE_CLOSE) /* reset since we looked */
            js_set(extra_of(d->extra, "sockets", h->socket->id), "closed", js_bool(true));
        if (r == -EPERM)
            return error_set(
                err, EPERM,
                "the TCP connection of port %u of container %s with port %u cannot be "
                "kept: that needs CAP_NET_ADMIN over the network namespace, so root, or "
                "a container with --network none; --tcp-close closes it instead",
                h->socket->src_port, d->options.name, h->socket->dst_port);
        if (r < 0)
            return error_errno(err, -r,
                               "cannot read the state of the TCP connection of port %u of "
                               "container %s with port %u",
                               h->socket->src_port, d->options.name, h->socket->dst_port);
    }
    return 0;
}

int tcp_streams_write(struct dump *d, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->connection_count; i++) {
        const struct tcp_held *h = &d->connections[i];
        _cleanup_(image_writer_freep) struct image_writer *w =
            image_writer_new(IMAGE_TCP_STREAM, h->socket->ino);
        image_writer_add(w, h->stream);
        image_writer_raw(w, h->received, h->stream->inq_len);
        image_writer_raw(w, h->sent, h->stream->outq_len);
        r = image_writer_put(w, d->sink, err);
    }
    return r;
}

void tcp_reuse_again(int fd, const InetSkEntry *e)
{
    int yes = 1;
    if (e->opts && e->opts->reuseaddr)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

void tcp_streams_unhold(struct dump *d)
{
    for (size_t i = 0; i < d->connection_count; i++) {
        int off = TCP_REPAIR_OFF;
        hear_again(&d->connections[i]);
        setsockopt(d->connections[i].fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off));
        tcp_reuse_again(d->connections[i].fd, d->connections[i].socket);
    }
}

void tcp_streams_release(struct dump *d)
{
    if (d->connection_guard >= 0)
        tcp_streams_unhold(d);
    tcp_guard_end(d, false);
}

void tcp_streams_close(struct dump *d)
{
    tcp_guard_end(d, true);
    for (size_t i = 0; i < d->connection_count; i++)
        close(d->connections[i].fd);
    free(d->connections);
    d->connections = NULL;
    d->connection_count = d->connection_room = 0;
}
