/* The options of a socket. One table; what is not in it has a function of its own below. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "engine/resources/socket.h"

/* Options of kernels newer than the headers, and of protocols without a header of theirs. */
enum {
    FIRN_SO_BUF_LOCK = 72,
    FIRN_SNDBUF_LOCK = 1,
    FIRN_RCVBUF_LOCK = 2,
    FIRN_SO_PASSPIDFD = 76,
    FIRN_IP_LOCAL_PORT_RANGE = 51,
    FIRN_UDPLITE_SEND_CSCOV = 10,
    FIRN_UDPLITE_RECV_CSCOV = 11,
    FIRN_ICMP_FILTER = 1,
    FIRN_TCP_RTO_MIN_US = 45,
    FIRN_SOL_UDPLITE = 136,
    FIRN_IPV6_TRANSPARENT = 75,
    FIRN_IPV6_FREEBIND = 78,
    FIRN_IPV6_RECVERR_RFC4884 = 31,
};

enum place { EXTRA, OPTS, TCP_OPTS, IP_OPTS };

struct option {
    const char *name;
    int level, option;
    enum place place;
    size_t has, field;
    int capability; /* that setting it needs, else 0 */
    bool late;      /* only once the socket is bound and connected */
    bool idle;      /* of a connected socket it says something else */
    bool datagram;  /* streams have it, too, but cannot set it */
};

#define ROW(level, o)                                                                              \
    {                                                                                              \
        .name = #o, level, o                                                                       \
    }
#define AT(level, o, place, T, f)                                                                  \
    {                                                                                              \
#o, level, o, place, offsetof(T, has_##f), offsetof(T, f)                                  \
    }
#define SKO(level, o, f)                                                                           \
    {                                                                                              \
#o, level, o, OPTS, offsetof(SkOptsEntry, has_##f), offsetof(SkOptsEntry, f)               \
    }

static const struct option table[] = {
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, OPTS, offsetof(SkOptsEntry, has_reuseaddr),
     offsetof(SkOptsEntry, reuseaddr), .late = true},
    SKO(SOL_SOCKET, SO_REUSEPORT, so_reuseport),
    SKO(SOL_SOCKET, SO_BROADCAST, so_broadcast),
    SKO(SOL_SOCKET, SO_KEEPALIVE, so_keepalive),
    SKO(SOL_SOCKET, SO_OOBINLINE, so_oobinline),
    SKO(SOL_SOCKET, SO_DONTROUTE, so_dontroute),
    SKO(SOL_SOCKET, SO_PRIORITY, so_priority),
    SKO(SOL_SOCKET, SO_RCVLOWAT, so_rcvlowat),
    SKO(SOL_SOCKET, SO_NO_CHECK, so_no_check),
    {"SO_MARK", SOL_SOCKET, SO_MARK, OPTS, offsetof(SkOptsEntry, has_so_mark),
     offsetof(SkOptsEntry, so_mark), .capability = CAP_NET_ADMIN},
    /* Late: credentials are not to be added to what we put into its queue. */
    {"SO_PASSCRED", SOL_SOCKET, SO_PASSCRED, OPTS, offsetof(SkOptsEntry, has_so_passcred),
     offsetof(SkOptsEntry, so_passcred), .late = true},
    SKO(SOL_SOCKET, SO_PASSSEC, so_passsec),
    {.name = "SO_PASSPIDFD", SOL_SOCKET, FIRN_SO_PASSPIDFD, .late = true},
    ROW(SOL_SOCKET, SO_TIMESTAMP),
    ROW(SOL_SOCKET, SO_TIMESTAMPNS),
    ROW(SOL_SOCKET, SO_TIMESTAMPING),
    ROW(SOL_SOCKET, SO_RXQ_OVFL),
    ROW(SOL_SOCKET, SO_SELECT_ERR_QUEUE),
    ROW(SOL_SOCKET, SO_ZEROCOPY),
    {.name = "SO_BUSY_POLL", SOL_SOCKET, SO_BUSY_POLL, .capability = CAP_NET_ADMIN},
    {.name = "SO_PEEK_OFF", SOL_SOCKET, SO_PEEK_OFF, .late = true},
    AT(SOL_IP, IP_TOS, IP_OPTS, IpOptsEntry, tos),
    AT(SOL_IP, IP_TTL, IP_OPTS, IpOptsEntry, ttl),
    AT(SOL_IP, IP_FREEBIND, IP_OPTS, IpOptsEntry, freebind),
    AT(SOL_IP, IP_PKTINFO, IP_OPTS, IpOptsEntry, pktinfo),
    {.name = "IP_TRANSPARENT", SOL_IP, IP_TRANSPARENT, .capability = CAP_NET_ADMIN},
    ROW(SOL_IP, IP_RECVTTL),
    ROW(SOL_IP, IP_RECVTOS),
    ROW(SOL_IP, IP_RECVOPTS),
    ROW(SOL_IP, IP_RETOPTS),
    ROW(SOL_IP, IP_RECVERR),
    ROW(SOL_IP, IP_RECVERR_RFC4884),
    ROW(SOL_IP, IP_RECVORIGDSTADDR),
    ROW(SOL_IP, IP_RECVFRAGSIZE),
    ROW(SOL_IP, IP_CHECKSUM),
    ROW(SOL_IP, IP_MTU_DISCOVER),
    {.name = "IP_MULTICAST_TTL", SOL_IP, IP_MULTICAST_TTL, .datagram = true},
    ROW(SOL_IP, IP_MULTICAST_LOOP),
    ROW(SOL_IP, IP_MULTICAST_ALL),
    {.name = "IP_MULTICAST_IF", SOL_IP, IP_MULTICAST_IF, .datagram = true},
    ROW(SOL_IP, IP_MINTTL),
    ROW(SOL_IP, IP_NODEFRAG),
    ROW(SOL_IP, IP_HDRINCL),
    ROW(SOL_IP, IP_BIND_ADDRESS_NO_PORT),
    {.name = "IP_LOCAL_PORT_RANGE", SOL_IP, FIRN_IP_LOCAL_PORT_RANGE},
    ROW(SOL_IPV6, IPV6_V6ONLY),
    {.name = "IPV6_FREEBIND", SOL_IPV6, FIRN_IPV6_FREEBIND},
    {.name = "IPV6_TRANSPARENT", SOL_IPV6, FIRN_IPV6_TRANSPARENT, .capability = CAP_NET_ADMIN},
    ROW(SOL_IPV6, IPV6_TCLASS),
    ROW(SOL_IPV6, IPV6_UNICAST_HOPS),
    {.name = "IPV6_MULTICAST_HOPS", SOL_IPV6, IPV6_MULTICAST_HOPS, .datagram = true},
    ROW(SOL_IPV6, IPV6_MULTICAST_LOOP),
    ROW(SOL_IPV6, IPV6_MULTICAST_ALL),
    {.name = "IPV6_MULTICAST_IF", SOL_IPV6, IPV6_MULTICAST_IF, .datagram = true},
    ROW(SOL_IPV6, IPV6_MTU_DISCOVER),
    ROW(SOL_IPV6, IPV6_DONTFRAG),
    ROW(SOL_IPV6, IPV6_MINHOPCOUNT),
    ROW(SOL_IPV6, IPV6_AUTOFLOWLABEL),
    ROW(SOL_IPV6, IPV6_RECVERR),
    {.name = "IPV6_RECVERR_RFC4884", SOL_IPV6, FIRN_IPV6_RECVERR_RFC4884},
    ROW(SOL_IPV6, IPV6_RECVPKTINFO),
    ROW(SOL_IPV6, IPV6_RECVHOPLIMIT),
    ROW(SOL_IPV6, IPV6_RECVTCLASS),
    ROW(SOL_IPV6, IPV6_RECVRTHDR),
    ROW(SOL_IPV6, IPV6_RECVHOPOPTS),
    ROW(SOL_IPV6, IPV6_RECVDSTOPTS),
    ROW(SOL_IPV6, IPV6_RECVORIGDSTADDR),
    ROW(SOL_IPV6, IPV6_RECVFRAGSIZE),
    ROW(SOL_IPV6, IPV6_RECVPATHMTU),
    AT(IPPROTO_TCP, TCP_NODELAY, TCP_OPTS, TcpOptsEntry, nodelay),
    {"TCP_CORK", IPPROTO_TCP, TCP_CORK, TCP_OPTS, offsetof(TcpOptsEntry, has_cork),
     offsetof(TcpOptsEntry, cork), .late = true},
    AT(IPPROTO_TCP, TCP_KEEPCNT, TCP_OPTS, TcpOptsEntry, keepcnt),
    AT(IPPROTO_TCP, TCP_KEEPIDLE, TCP_OPTS, TcpOptsEntry, keepidle),
    AT(IPPROTO_TCP, TCP_KEEPINTVL, TCP_OPTS, TcpOptsEntry, keepintvl),
    ROW(IPPROTO_TCP, TCP_SYNCNT),
    ROW(IPPROTO_TCP, TCP_LINGER2),
    ROW(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    ROW(IPPROTO_TCP, TCP_USER_TIMEOUT),
    ROW(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS),
    ROW(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    ROW(IPPROTO_TCP, TCP_SAVE_SYN),
    ROW(IPPROTO_TCP, TCP_INQ),
    ROW(IPPROTO_TCP, TCP_TX_DELAY),
    {.name = "TCP_RTO_MIN_US", IPPROTO_TCP, FIRN_TCP_RTO_MIN_US},
    {.name = "TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, .idle = true},
    {.name = "TCP_WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP, .idle = true},
    {.name = "TCP_FASTOPEN", IPPROTO_TCP, TCP_FASTOPEN, .idle = true},
    {.name = "TCP_FASTOPEN_CONNECT", IPPROTO_TCP, TCP_FASTOPEN_CONNECT, .idle = true},
    {.name = "TCP_FASTOPEN_NO_COOKIE", IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, .idle = true},
    ROW(IPPROTO_UDP, UDP_CORK),
    ROW(IPPROTO_UDP, UDP_ENCAP),
    ROW(IPPROTO_UDP, UDP_NO_CHECK6_TX),
    ROW(IPPROTO_UDP, UDP_NO_CHECK6_RX),
    ROW(IPPROTO_UDP, UDP_SEGMENT),
    ROW(IPPROTO_UDP, UDP_GRO),
    {.name = "UDPLITE_SEND_CSCOV", FIRN_SOL_UDPLITE, FIRN_UDPLITE_SEND_CSCOV},
    {.name = "UDPLITE_RECV_CSCOV", FIRN_SOL_UDPLITE, FIRN_UDPLITE_RECV_CSCOV},
    {.name = "ICMP_FILTER", SOL_RAW, FIRN_ICMP_FILTER},
};

static void *message_at(const struct socket_options *o, enum place place)
{
    return place == OPTS       ? (void *)o->opts
           : place == TCP_OPTS ? (void *)o->tcp
           : place == IP_OPTS  ? (void *)o->ip
                               : NULL;
}

static void put(const struct socket_options *o, const struct option *row, int value)
{
    char *message = message_at(o, row->place);
    if (!message) {
        js_set(o->extra, row->name, js_int(value));
        return;
    }
    protobuf_c_boolean yes = true;
    memcpy(message + row->has, &yes, sizeof(yes));
    memcpy(message + row->field, &value, sizeof(value));
}

static bool get(const struct socket_options *o, const struct option *row, int *ret)
{
    const char *message = message_at(o, row->place);
    const struct json *value = js_get(o->extra, row->name);
    protobuf_c_boolean has = false;
    if (message)
        memcpy(&has, message + row->has, sizeof(has));
    if (has)
        memcpy(ret, message + row->field, sizeof(*ret));
    else if (js_is_int(value))
        *ret = (int)js_int_value(value);
    return has || js_is_int(value);
}

/* ---- dump ---- */

static bool connected(int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof(peer);
    return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

static void dump_times(int fd, SkOptsEntry *opts)
{
    struct timeval t = {0};
    socklen_t size = sizeof(t);
    if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, &size) == 0)
        opts->so_snd_tmo_sec = (uint64_t)t.tv_sec, opts->so_snd_tmo_usec = (uint64_t)t.tv_usec;
    size = sizeof(t);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &size) == 0)
        opts->so_rcv_tmo_sec = (uint64_t)t.tv_sec, opts->so_rcv_tmo_usec = (uint64_t)t.tv_usec;
    struct linger linger = {0};
    size = sizeof(linger);
    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff)
        opts->has_so_linger = true, opts->so_linger = (uint32_t)linger.l_linger;
}

static int dump_filter(struct dump *d, int fd, const char *name, struct socket_options *o,
                       struct error *err)
{
    socklen_t count = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &count) < 0)
        return errno == EACCES ? error_set(err, ENOTSUP,
                                           "%s is a socket with an eBPF program attached, which "
                                           "firn cannot save",
                                           name)
                               : 0;
    if (count == 0)
        return 0;
    o->opts->so_filter = arena_array_of(d->arena, uint64_t, count);
    o->opts->n_so_filter = count;
    if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, o->opts->so_filter, &count) < 0)
        return error_errno(err, errno, "cannot read the filter of %s", name);
    if (socket_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 0))
        js_set(o->extra, "SO_LOCK_FILTER", js_int(1));
    return 0;
}

static void dump_strings(struct dump *d, int fd, struct socket_options *o)
{
    char text[64] = "";
    socklen_t size = sizeof(text) - 1;
    if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, text, &size) == 0 && size > 0)
        o->opts->so_bound_dev = arena_strdup(d->arena, text);
    memset(text, 0, sizeof(text));
    size = sizeof(text) - 1;
    if (o->tcp && getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, text, &size) == 0)
        js_set(o->extra, "TCP_CONGESTION", js_string(text));
}

static void make_messages(struct dump *d, int fd, uint32_t id, struct socket_options *o)
{
    struct socket_kind kind = {0};
    socket_kind(fd, &kind);
    bool inet = kind.family == AF_INET || kind.family == AF_INET6;
    o->opts = arena_new_of(d->arena, SkOptsEntry);
    sk_opts_entry__init(o->opts);
    if (inet)
        ip_opts_entry__init(o->ip = arena_new_of(d->arena, IpOptsEntry));
    if (inet && kind.protocol == IPPROTO_TCP)
        tcp_opts_entry__init(o->tcp = arena_new_of(d->arena, TcpOptsEntry));
    struct json *all = extra_of(d->extra, "sockets", id);
    js_set(all, "options", js_object());
    o->extra = js_get(all, "options");
}

int socket_options_dump(struct dump *d, int fd, const char *name, uint32_t id,
                        struct socket_options *ret, struct error *err)
{
    struct socket_options o = {0};
    make_messages(d, fd, id, &o);
    bool busy = connected(fd), stream = socket_int(fd, SOL_SOCKET, SO_TYPE, 0) == SOCK_STREAM;
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        const struct option *row = &table[i];
        int value = 0;
        socklen_t size = sizeof(value);
        if (!(row->idle && busy) && !(row->datagram && stream) &&
            (o.ip || row->level == SOL_SOCKET) &&
            getsockopt(fd, row->level, row->option, &value, &size) == 0)
            put(&o, row, value);
    }
    o.opts->so_sndbuf = (uint32_t)socket_int(fd, SOL_SOCKET, SO_SNDBUF, 0);
    o.opts->so_rcvbuf = (uint32_t)socket_int(fd, SOL_SOCKET, SO_RCVBUF, 0);
    int lock = socket_int(fd, SOL_SOCKET, FIRN_SO_BUF_LOCK, -1);
    o.opts->has_so_buf_lock = lock >= 0;
    o.opts->so_buf_lock = lock < 0 ? 0 : (uint32_t)lock;
    dump_times(fd, o.opts);
    dump_strings(d, fd, &o);
    *ret = o;
    return dump_filter(d, fd, name, &o, err);
}

/* ---- restore ---- */

/* Only what differs from a new socket is set: there is much that may be read but not written. */
static int restore_one(struct maker *m, int fd, const struct option *row, int value,
                       struct error *err)
{
    int now = 0;
    socklen_t size = sizeof(now);
    if (getsockopt(fd, row->level, row->option, &now, &size) == 0 && now == value)
        return 0;
    bool privileged =
        row->capability || (row->option == SO_PRIORITY && row->level == SOL_SOCKET && value > 6);
    if (privileged && !socket_may(m->restore, CAP_NET_ADMIN))
        return error_set(err, EPERM,
                         "a socket of process %d had the option %s, which needs CAP_NET_ADMIN, "
                         "and container %s was created without it",
                         m->task->vpid, row->name, m->restore->options.name);
    if (setsockopt(fd, row->level, row->option, &value, sizeof(value)) < 0)
        return error_errno(err, errno, "cannot set %s of a socket of process %d to %d again",
                           row->name, m->task->vpid, value);
    return 0;
}

static int restore_rows(struct maker *m, int fd, const struct socket_options *o, bool late,
                        struct error *err)
{
    int value = 0, n = 0;
    for (size_t i = 0; n == 0 && i < ARRAY_LEN(table); i++)
        if (table[i].late == late && get(o, &table[i], &value))
            n = restore_one(m, fd, &table[i], value, err);
    return n;
}

static void restore_buffer(struct maker *m, int fd, int option, int force, uint32_t doubled)
{
    int size = doubled > INT32_MAX ? INT32_MAX / 2 : (int)(doubled / 2);
    setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size));
    if (socket_int(fd, SOL_SOCKET, option, 0) < 2 * size && socket_may(m->restore, CAP_NET_ADMIN))
        setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size));
}

/* A buffer whose size nobody has chosen keeps growing by itself. */
static void restore_buffers(struct maker *m, int fd, const SkOptsEntry *o)
{
    if (!o->has_so_buf_lock || o->so_buf_lock & FIRN_SNDBUF_LOCK)
        restore_buffer(m, fd, SO_SNDBUF, SO_SNDBUFFORCE, o->so_sndbuf);
    if (!o->has_so_buf_lock || o->so_buf_lock & FIRN_RCVBUF_LOCK)
        restore_buffer(m, fd, SO_RCVBUF, SO_RCVBUFFORCE, o->so_rcvbuf);
}

static int restore_times(struct maker *m, int fd, const SkOptsEntry *o, struct error *err)
{
    struct timeval send = {(time_t)o->so_snd_tmo_sec, (suseconds_t)o->so_snd_tmo_usec};
    struct timeval receive = {(time_t)o->so_rcv_tmo_sec, (suseconds_t)o->so_rcv_tmo_usec};
    struct linger linger = {o->has_so_linger, (int)o->so_linger};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send, sizeof(send)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof(receive)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) < 0)
        return error_errno(err, errno, "cannot set the timeouts of a socket of process %d again",
                           m->task->vpid);
    return 0;
}

static int restore_strings(struct maker *m, int fd, const struct socket_options *o,
                           struct error *err)
{
    const char *device = o->opts->so_bound_dev;
    const char *congestion = js_get_string(o->extra, "TCP_CONGESTION");
    if (device && device[0] &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device)) < 0)
        return error_errno(err, errno, "cannot bind a socket of process %d to device %.16s again",
                           m->task->vpid, device);
    char now[64] = "";
    socklen_t size = sizeof(now) - 1;
    if (congestion && getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, now, &size) == 0 &&
        strcmp(now, congestion) != 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) < 0)
        return error_errno(err, errno,
                           "cannot set congestion control %.16s of a socket of process %d again",
                           congestion, m->task->vpid);
    return 0;
}

static int restore_filter(struct maker *m, int fd, const struct socket_options *o,
                          struct error *err)
{
    if (!o->opts->n_so_filter)
        return 0;
    if (o->opts->n_so_filter > BPF_MAXINSNS)
        return error_set(err, EINVAL, "the checkpoint has a socket filter of %zu instructions",
                         o->opts->n_so_filter);
    struct sock_fprog program = {(unsigned short)o->opts->n_so_filter,
                                 (struct sock_filter *)(void *)o->opts->so_filter};
    int lock = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
        (js_get(o->extra, "SO_LOCK_FILTER") &&
         setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &lock, sizeof(lock)) < 0))
        return error_errno(err, errno, "cannot set the filter of a socket of process %d again",
                           m->task->vpid);
    return 0;
}

int socket_options_restore(struct maker *m, int fd, const struct socket_options *o,
                           struct error *err)
{
    int n = restore_rows(m, fd, o, false, err);
    if (n < 0)
        return n;
    restore_buffers(m, fd, o->opts);
    return restore_strings(m, fd, o, err);
}

int socket_options_restore_late(struct maker *m, int fd, const struct socket_options *o,
                                struct error *err)
{
    int n = restore_rows(m, fd, o, true, err);
    if (n == 0)
        n = restore_times(m, fd, o->opts, err);
    return n < 0 ? n : restore_filter(m, fd, o, err);
}
