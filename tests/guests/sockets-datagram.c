/* UDP, UDPLITE and ping sockets: addresses, options, and that datagrams arrive. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "guest.h"

static int bound, connected, six, ping, lite, unbound;
static struct sockaddr_in bound_at;
static struct sockaddr_in6 six_at;

static int number(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, level, option, &value, &size) < 0 ? -errno : value;
}

static void set(int fd, int level, int option, int value)
{
    guest_need(setsockopt(fd, level, option, &value, sizeof(value)) == 0, "an option");
}

static bool arrives(int fd, const char *text)
{
    char buffer[64];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 2000) == 1 && recv(fd, buffer, sizeof(buffer), 0) == (ssize_t)strlen(text) &&
           memcmp(buffer, text, strlen(text)) == 0;
}

static bool is_member(int fd, int level, const void *group, socklen_t size)
{
    struct group_filter f = {.gf_interface = 1};
    socklen_t length = sizeof(f);
    memcpy(&f.gf_group, group, size);
    return getsockopt(fd, level, MCAST_MSFILTER, &f, &length) == 0;
}

static struct sockaddr_in group = {.sin_family = AF_INET};
static struct sockaddr_in6 group_six = {.sin6_family = AF_INET6};

static void join(int fd, int level, const void *at, socklen_t size)
{
    struct group_req q = {.gr_interface = 1};
    memcpy(&q.gr_group, at, size);
    guest_need(setsockopt(fd, level, MCAST_JOIN_GROUP, &q, sizeof(q)) == 0, "a group");
}

static void check_groups(void)
{
    struct sockaddr_in other = {.sin_family = AF_INET, .sin_addr = {htonl(0xefff0002)}};
    guest_check(is_member(bound, SOL_IP, &group, sizeof(group)), "the socket has left its group");
    guest_check(!is_member(bound, SOL_IP, &other, sizeof(other)), "the socket is in another group");
    guest_check(is_member(six, SOL_IPV6, &group_six, sizeof(group_six)),
                "the IPv6 socket has left its group");
}

static void verify(void)
{
    struct sockaddr_in name = {0};
    socklen_t size = sizeof(name);
    guest_check(send(connected, "hello", 5, 0) == 5 && arrives(bound, "hello"),
                "the connected socket reaches nobody");
    getsockname(connected, (struct sockaddr *)&name, &size);
    guest_check(sendto(bound, "back", 4, 0, (struct sockaddr *)&name, size) == 4 &&
                    arrives(connected, "back"),
                "the bound socket cannot answer");
    guest_check(sendto(unbound, "six", 3, 0, (struct sockaddr *)&six_at, sizeof(six_at)) == 3 &&
                    arrives(six, "six"),
                "nothing arrives by IPv6");
    guest_check(number(bound, SOL_SOCKET, SO_BROADCAST) == 1, "SO_BROADCAST is lost");
    guest_check(number(bound, IPPROTO_IP, IP_PKTINFO) == 1, "IP_PKTINFO is lost");
    guest_check(number(bound, IPPROTO_IP, IP_TTL) == 33, "IP_TTL is lost");
    guest_check(number(bound, IPPROTO_IP, IP_MULTICAST_TTL) == 4, "IP_MULTICAST_TTL is lost");
    guest_check(number(bound, IPPROTO_IP, IP_MULTICAST_LOOP) == 0, "IP_MULTICAST_LOOP is lost");
    guest_check(number(bound, SOL_SOCKET, SO_RCVBUF) == 2 * 50000, "SO_RCVBUF is lost");
    guest_check(number(six, IPPROTO_IPV6, IPV6_V6ONLY) == 1, "IPV6_V6ONLY is lost");
    guest_check(number(six, IPPROTO_IPV6, IPV6_RECVPKTINFO) == 1, "IPV6_RECVPKTINFO is lost");
    guest_check(number(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS) == 9, "IPV6_UNICAST_HOPS is lost");
    check_groups();
    if (ping >= 0)
        guest_check(number(ping, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_ICMP, "no ping socket");
    if (lite >= 0)
        guest_check(number(lite, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDPLITE &&
                        number(lite, IPPROTO_UDPLITE, 10) == 20,
                    "no UDPLITE socket");
}

static void prepare_six(void)
{
    socklen_t size = sizeof(six_at);
    six = socket(AF_INET6, SOCK_DGRAM, 0);
    set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set(six, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    set(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9);
    six_at = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    guest_need(bind(six, (struct sockaddr *)&six_at, size) == 0 &&
                   getsockname(six, (struct sockaddr *)&six_at, &size) == 0,
               "an IPv6 socket");
    unbound = socket(AF_INET6, SOCK_DGRAM, 0);
}

int main(void)
{
    socklen_t size = sizeof(bound_at);
    bound = socket(AF_INET, SOCK_DGRAM, 0);
    set(bound, SOL_SOCKET, SO_BROADCAST, 1);
    set(bound, SOL_SOCKET, SO_RCVBUF, 50000);
    set(bound, IPPROTO_IP, IP_PKTINFO, 1);
    set(bound, IPPROTO_IP, IP_TTL, 33);
    set(bound, IPPROTO_IP, IP_MULTICAST_TTL, 4);
    set(bound, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
    bound_at.sin_family = AF_INET;
    bound_at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    guest_need(bind(bound, (struct sockaddr *)&bound_at, size) == 0 &&
                   getsockname(bound, (struct sockaddr *)&bound_at, &size) == 0,
               "a bound socket");
    connected = socket(AF_INET, SOCK_DGRAM, 0);
    guest_need(connect(connected, (struct sockaddr *)&bound_at, size) == 0, "a connected socket");
    prepare_six();
    group.sin_addr.s_addr = htonl(0xefff0001);
    inet_pton(AF_INET6, "ff02::4711", &group_six.sin6_addr);
    join(bound, SOL_IP, &group, sizeof(group));
    join(six, SOL_IPV6, &group_six, sizeof(group_six));
    ping = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    lite = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    if (lite >= 0)
        set(lite, IPPROTO_UDPLITE, 10, 20);
    guest_serve(verify);
}
