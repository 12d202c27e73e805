/* A FIN that was received before the dump is gone with the old socket, and the other end will not
 * send it again: so we send it, in its name, to ourselves. It does not leave this host. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <unistd.h>

#include "engine/resources/tcp-stream.h"

struct pseudo {
    unsigned char from[16], to[16]; /* IPv4 uses the first words */
    uint32_t length, protocol;
};

static uint32_t sum(const void *data, size_t size, uint32_t so_far)
{
    const unsigned char *p = data;
    for (size_t i = 0; i + 1 < size; i += 2)
        so_far += (uint32_t)(p[i] << 8 | p[i + 1]);
    return so_far;
}

/* IPv4's and IPv6's pseudo headers have the same sum: zeroes do not count. */
static uint16_t checksum(const InetSkEntry *e, const struct tcphdr *tcp)
{
    struct pseudo p = {.length = htonl(sizeof(*tcp)), .protocol = htonl(IPPROTO_TCP)};
    memcpy(p.from, e->dst_addr, e->n_dst_addr * 4);
    memcpy(p.to, e->src_addr, e->n_src_addr * 4);
    uint32_t s = sum(tcp, sizeof(*tcp), sum(&p, sizeof(p), 0));
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return htons((uint16_t)~s);
}

static struct tcphdr make(const struct tcp_revived *t)
{
    const InetSkEntry *e = t->socket;
    struct tcphdr tcp = {.source = htons((uint16_t)e->dst_port),
                         .dest = htons((uint16_t)e->src_port),
                         .seq = htonl(t->sequence),
                         .ack_seq = htonl(t->acknowledged),
                         .doff = sizeof(tcp) / 4,
                         .fin = 1,
                         .ack = 1,
                         .window = htons(0xffff)};
    tcp.check = checksum(e, &tcp);
    return tcp;
}

static bool is_mapped(const InetSkEntry *e)
{
    return e->family == AF_INET6 && e->n_dst_addr == 4 && !e->dst_addr[0] && !e->dst_addr[1] &&
           e->dst_addr[2] == htonl(0xffff);
}

static int send_four(int fd, uint32_t from, uint32_t to, const struct tcphdr *tcp)
{
    struct {
        struct iphdr ip;
        struct tcphdr tcp;
    } packet = {.ip = {.version = 4,
                       .ihl = sizeof(struct iphdr) / 4,
                       .tot_len = htons(sizeof(packet)),
                       .ttl = 64,
                       .protocol = IPPROTO_TCP,
                       .saddr = from,
                       .daddr = to},
                .tcp = *tcp};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {to}};
    return sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&at, sizeof(at)) < 0 ? -errno
                                                                                          : 0;
}

static int send_six(int fd, const InetSkEntry *e, const struct tcphdr *tcp)
{
    struct {
        struct ip6_hdr ip;
        struct tcphdr tcp;
    } packet = {.tcp = *tcp};
    struct sockaddr_in6 at = {.sin6_family = AF_INET6};
    packet.ip.ip6_flow = htonl(6u << 28);
    packet.ip.ip6_plen = htons(sizeof(*tcp));
    packet.ip.ip6_nxt = IPPROTO_TCP;
    packet.ip.ip6_hlim = 64;
    memcpy(&packet.ip.ip6_src, e->dst_addr, 16);
    memcpy(&packet.ip.ip6_dst, e->src_addr, 16);
    memcpy(&at.sin6_addr, e->src_addr, 16);
    return sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&at, sizeof(at)) < 0 ? -errno
                                                                                          : 0;
}

int tcp_inject_end(const struct restore *r, const struct tcp_revived *t)
{
    const InetSkEntry *e = t->socket;
    bool mapped = is_mapped(e), four = mapped || e->family == AF_INET;
    struct tcphdr tcp = make(t);
    int back;
    int n = socket_enter_network(r->init, &back, NULL);
    if (n < 0)
        return n;
    _cleanup_close_ int fd =
        socket(four ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0)
        n = -errno;
    else if (four)
        n = send_four(fd, e->dst_addr[mapped ? 3 : 0], e->src_addr[mapped ? 3 : 0], &tcp);
    else
        n = send_six(fd, e, &tcp);
    socket_leave_network(back);
    return n;
}
