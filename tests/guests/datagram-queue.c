/* UDP datagrams nobody has read yet: from several senders, one of them gone, empty and large ones,
 * IPv4, IPv6 and one through the other, on bound, unbound and connected sockets. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "guest.h"

#define LARGE 60000

static int local, any, six, dual, connected, sender, sender_six;
static uint16_t gone_port;
static char large[LARGE], got[LARGE + 1];

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 at = {0};
    socklen_t size = sizeof(at);
    getsockname(fd, (struct sockaddr *)&at, &size);
    return at.sin6_port;
}

static int bound(int family, bool anywhere)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 at = {.sin6_family = AF_INET6};
    four.sin_addr.s_addr = htonl(anywhere ? INADDR_ANY : INADDR_LOOPBACK);
    at.sin6_addr = anywhere ? in6addr_any : in6addr_loopback;
    int fd = socket(family, SOCK_DGRAM, 0), r;
    if (family == AF_INET)
        r = bind(fd, (struct sockaddr *)&four, sizeof(four));
    else
        r = bind(fd, (struct sockaddr *)&at, sizeof(at));
    guest_need(fd >= 0 && r == 0, "a socket");
    return fd;
}

static void put(int from, int to, const void *data, size_t size)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = port_of(to)};
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = port_of(to)};
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin6_addr = in6addr_loopback;
    bool is_six = from == sender_six;
    ssize_t n = sendto(from, data, size, 0, is_six ? (void *)&at : (void *)&four,
                       is_six ? sizeof(at) : sizeof(four));
    guest_check(n == (ssize_t)size, "send: %s", strerror(errno));
}

static void expect(int fd, const void *data, size_t size, uint16_t port, const char *what)
{
    struct sockaddr_in6 from = {0};
    socklen_t length = sizeof(from);
    ssize_t n = recvfrom(fd, got, LARGE, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
    guest_check(n == (ssize_t)size && memcmp(got, data, size) == 0, "%s: %zd bytes", what, n);
    guest_check(n < 0 || from.sin6_port == port, "%s comes from port %u", what,
                ntohs(from.sin6_port));
    if (n >= 0 && from.sin6_family == AF_INET6)
        guest_check(IN6_IS_ADDR_LOOPBACK(&from.sin6_addr) || IN6_IS_ADDR_V4MAPPED(&from.sin6_addr),
                    "%s comes from another address", what);
    else if (n >= 0)
        guest_check(((struct sockaddr_in *)&from)->sin_addr.s_addr == htonl(INADDR_LOOPBACK),
                    "%s comes from another address", what);
}

static void fill(void)
{
    int gone = bound(AF_INET, false);
    gone_port = port_of(gone);
    put(sender, local, "first", 5);
    put(sender, local, "", 0);
    put(gone, local, large, LARGE);
    put(gone, any, "any", 3);
    put(sender_six, six, "six", 3);
    put(sender, dual, "mapped", 6);
    put(sender_six, dual, "plain", 5);
    put(sender, connected, "connected", 9);
    close(gone);
}

static void verify(void)
{
    expect(local, "first", 5, port_of(sender), "the first datagram");
    expect(local, "", 0, port_of(sender), "the empty datagram");
    expect(local, large, LARGE, gone_port, "the large datagram");
    expect(any, "any", 3, gone_port, "the datagram for any address");
    expect(six, "six", 3, port_of(sender_six), "the IPv6 datagram");
    expect(dual, "mapped", 6, port_of(sender), "the mapped datagram");
    expect(dual, "plain", 5, port_of(sender_six), "the other datagram");
    expect(connected, "connected", 9, port_of(sender), "the connected datagram");
    const int all[] = {local, any, six, dual, connected};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        guest_check(recv(all[i], got, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN,
                    "there is more than there was");
    struct sockaddr_in peer;
    socklen_t size = sizeof(peer);
    guest_check(getpeername(any, (struct sockaddr *)&peer, &size) < 0, "a socket is connected now");
    guest_check(getpeername(connected, (struct sockaddr *)&peer, &size) == 0,
                "one is not any more");
    fill();
}

int main(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int no = 0;
    guest_fill(large, LARGE, 9);
    sender = bound(AF_INET, false);
    sender_six = bound(AF_INET6, false);
    local = bound(AF_INET, false);
    any = bound(AF_INET, true);
    six = bound(AF_INET6, false);
    dual = socket(AF_INET6, SOCK_DGRAM, 0);
    setsockopt(dual, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    struct sockaddr_in6 at = {.sin6_family = AF_INET6};
    guest_need(bind(dual, (struct sockaddr *)&at, sizeof(at)) == 0, "a socket for both");
    connected = bound(AF_INET, false);
    to.sin_port = port_of(sender);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    guest_need(connect(connected, (struct sockaddr *)&to, sizeof(to)) == 0, "a connected socket");
    fill();
    guest_serve(verify);
}
