#include "engine/resources/datagram-queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/resources/socket-queue.h"

#define DATAGRAM_MAX 65507u
#define TIME_TO_LIVE 64

static bool is_udp(const InetSkEntry *e)
{
    return e->type == SOCK_DGRAM && e->proto == IPPROTO_UDP;
}

int datagram_queue_dump(struct dump *d, const struct descriptor *f, int fd, const InetSkEntry *e,
                        struct error *err)
{
    /* An error that waits would be taken by whoever reads first. */
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (!is_udp(e) || poll(&p, 1, 0) != 1 || !(p.revents & POLLIN) || p.revents & POLLERR)
        return 0;
    return socket_queue_dump_datagrams(d, f, fd, e->id, err);
}

/* ---- restore ---- */

/* From whom to whom, both of one family: IPv4 also through an IPv6 socket. */
struct way {
    bool six;
    struct in6_addr from, to; /* of IPv4 the first word */
    uint16_t from_port, to_port;
};

static bool is_mapped(const struct sockaddr_storage *a)
{
    const struct sockaddr_in6 *six = (const void *)a;
    return a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
}

static void take_address(const struct sockaddr_storage *a, bool as_four, struct in6_addr *address,
                         uint16_t *port)
{
    const struct sockaddr_in *four = (const void *)a;
    const struct sockaddr_in6 *six = (const void *)a;
    *port = a->ss_family == AF_INET6 ? six->sin6_port : four->sin_port;
    if (a->ss_family == AF_INET)
        memcpy(address, &four->sin_addr, sizeof(four->sin_addr));
    else if (as_four)
        memcpy(address, (const char *)&six->sin6_addr + 12, sizeof(four->sin_addr));
    else
        *address = six->sin6_addr;
}

static uint32_t sum(const void *data, size_t size, uint32_t so_far)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++)
        so_far += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    return so_far;
}

/* Of IPv6, where it must be there. */
static uint16_t checksum(const struct way *w, const char *datagram, size_t size)
{
    uint32_t s = sum(datagram, size, (uint32_t)size + IPPROTO_UDP);
    s = sum(&w->to, sizeof(w->to), sum(&w->from, sizeof(w->from), s));
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s ? htons((uint16_t)~s) : 0xffff;
}

static void put_datagram(char *at, const struct way *w, const struct socket_packet *p)
{
    struct udphdr head = {.source = w->from_port,
                          .dest = w->to_port,
                          .len = htons((uint16_t)(sizeof(head) + p->size))};
    memcpy(at, &head, sizeof(head));
    memcpy(at + sizeof(head), p->data, p->size);
    head.check = w->six ? checksum(w, at, sizeof(head) + p->size) : 0;
    memcpy(at, &head, sizeof(head));
}

static size_t put_six(char *at, const struct way *w, const struct socket_packet *p)
{
    size_t size = sizeof(struct udphdr) + p->size;
    struct ip6_hdr head = {.ip6_src = w->from, .ip6_dst = w->to};
    head.ip6_vfc = 6 << 4;
    head.ip6_plen = htons((uint16_t)size);
    head.ip6_nxt = IPPROTO_UDP;
    head.ip6_hlim = TIME_TO_LIVE;
    memcpy(at, &head, sizeof(head));
    put_datagram(at + sizeof(head), w, p);
    return sizeof(head) + size;
}

static size_t put_four(char *at, const struct way *w, const struct socket_packet *p)
{
    size_t size = sizeof(struct udphdr) + p->size;
    struct iphdr head = {
        .version = 4, .ihl = sizeof(head) / 4, .ttl = TIME_TO_LIVE, .protocol = IPPROTO_UDP};
    head.tot_len = htons((uint16_t)(sizeof(head) + size));
    memcpy(&head.saddr, &w->from, sizeof(head.saddr));
    memcpy(&head.daddr, &w->to, sizeof(head.daddr));
    memcpy(at, &head, sizeof(head));
    put_datagram(at + sizeof(head), w, p);
    return sizeof(head) + size;
}

/* On the loopback device only: what is not for this host goes nowhere. */
static int open_raw(struct maker *m, bool six, struct error *err)
{
    int back, yes = 1, n = socket_enter_network(m->restore->init, &back, err);
    if (n < 0)
        return n;
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    socket_leave_network(back);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0 ||
        (six && setsockopt(fd, SOL_IPV6, IPV6_HDRINCL, &yes, sizeof(yes)) < 0)) {
        close(fd);
        return -errno;
    }
    return fd;
}

static int send_again(struct maker *m, const struct way *w, const struct socket_packet *p,
                      struct error *err)
{
    _cleanup_free_ char *packet = xmalloc(p->size + 128);
    _cleanup_close_ int fd = open_raw(m, w->six, err);
    if (fd < 0)
        return err->code ? fd : 0;
    size_t size = w->six ? put_six(packet, w, p) : put_four(packet, w, p);
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = w->to};
    memcpy(&four.sin_addr, &w->to, sizeof(four.sin_addr));
    (void)!sendto(fd, packet, size, MSG_DONTWAIT, w->six ? (void *)&six : (void *)&four,
                  w->six ? sizeof(six) : sizeof(four));
    return 0;
}

static socklen_t sender_of(const struct socket_packet *p, struct sockaddr_storage *ret)
{
    size_t size = p->from_size + sizeof(sa_family_t);
    *ret = (struct sockaddr_storage){0};
    if (size != sizeof(struct sockaddr_in) && size != sizeof(struct sockaddr_in6))
        return 0;
    ret->ss_family = size == sizeof(struct sockaddr_in) ? AF_INET : AF_INET6;
    memcpy((char *)ret + sizeof(sa_family_t), p->from, p->from_size);
    return (socklen_t)size;
}

/* While it is connected with the sender it is the socket that the datagram is for, and no other. */
static int restore_one(struct maker *m, int copy, const InetSkEntry *e,
                       const struct socket_packet *p, struct error *err)
{
    struct sockaddr_storage from, to = {0};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct way w = {0};
    socklen_t size = sender_of(p, &from), own = sizeof(to);
    if (!size || p->size > DATAGRAM_MAX)
        return 0;
    if (!e->n_dst_addr && connect(copy, (struct sockaddr *)&from, size) < 0)
        return 0; /* no way leads there any more */
    if (getsockname(copy, (struct sockaddr *)&to, &own) == 0) {
        bool four = from.ss_family == AF_INET || is_mapped(&from);
        w.six = !four;
        take_address(&from, four, &w.from, &w.from_port);
        take_address(&to, four, &w.to, &w.to_port);
    }
    int n = w.to_port ? send_again(m, &w, p, err) : 0;
    if (!e->n_dst_addr)
        connect(copy, &nobody, sizeof(nobody));
    return n;
}

int datagram_queue_restore(struct maker *m, int copy, const InetSkEntry *e, struct error *err)
{
    const struct socket_packets *all = m->restore->packets;
    int n = 0;
    for (size_t i = 0; n == 0 && is_udp(e) && i < all->count; i++)
        if (all->list[i].id_for == e->id)
            n = restore_one(m, copy, e, &all->list[i], err);
    return n;
}
