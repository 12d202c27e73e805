/* Listening TCP sockets, IPv4 and IPv6: addresses, options, and that they take connections. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "guest.h"

static int plain, options, group[2], six, bound;
static struct sockaddr_in plain_at, group_at, bound_at;
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

static int listen_at(int fd, struct sockaddr_in *at, int backlog)
{
    socklen_t size = sizeof(*at);
    at->sin_family = AF_INET;
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    guest_need(bind(fd, (struct sockaddr *)at, size) == 0 && listen(fd, backlog) == 0 &&
                   getsockname(fd, (struct sockaddr *)at, &size) == 0,
               "a listening socket");
    return fd;
}

/* A connection goes through, with data in both directions. */
static void check_works(int listener, const void *address, socklen_t size, const char *what)
{
    int client = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM, 0);
    char text[8] = "";
    if (connect(client, address, size) < 0) {
        guest_fail("nobody can connect to the %s socket: %s", what, strerror(errno));
        close(client);
        return;
    }
    int server = accept(listener, NULL, NULL);
    guest_check(server >= 0 && send(client, "ping", 4, 0) == 4 && recv(server, text, 8, 0) == 4 &&
                    send(server, "pong", 4, 0) == 4 && recv(client, text, 8, 0) == 4 &&
                    memcmp(text, "pong", 4) == 0,
                "the %s socket gives no connection that works", what);
    close(client);
    close(server);
}

static void verify(void)
{
    check_works(plain, &plain_at, sizeof(plain_at), "plain");
    check_works(six, &six_at, sizeof(six_at), "IPv6");
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    getsockname(bound, (struct sockaddr *)&name, &size);
    guest_check(name.sin_port == bound_at.sin_port, "the port of the bound socket changed");
    guest_check(number(plain, SOL_SOCKET, SO_REUSEADDR) == 0, "SO_REUSEADDR came");
    guest_check(number(options, SOL_SOCKET, SO_REUSEADDR) == 1, "SO_REUSEADDR is lost");
    guest_check(number(options, SOL_SOCKET, SO_KEEPALIVE) == 1, "SO_KEEPALIVE is lost");
    guest_check(number(options, IPPROTO_TCP, TCP_NODELAY) == 1, "TCP_NODELAY is lost");
    guest_check(number(options, IPPROTO_TCP, TCP_KEEPIDLE) == 77, "TCP_KEEPIDLE is lost");
    guest_check(number(options, IPPROTO_TCP, TCP_USER_TIMEOUT) == 5000, "TCP_USER_TIMEOUT is lost");
    guest_check(number(options, IPPROTO_TCP, TCP_MAXSEG) == 1000, "TCP_MAXSEG is lost");
    guest_check(number(options, IPPROTO_IP, IP_TOS) == 0x10, "IP_TOS is lost");
    guest_check(number(options, SOL_SOCKET, SO_SNDBUF) == 2 * 40000, "SO_SNDBUF is lost");
    struct linger linger = {0};
    size = sizeof(linger);
    getsockopt(options, SOL_SOCKET, SO_LINGER, &linger, &size);
    guest_check(linger.l_onoff && linger.l_linger == 3, "SO_LINGER is lost");
    struct timeval timeout = {0};
    size = sizeof(timeout);
    getsockopt(options, SOL_SOCKET, SO_RCVTIMEO, &timeout, &size);
    guest_check(timeout.tv_sec == 2 && timeout.tv_usec == 500000, "SO_RCVTIMEO is lost");
    for (int i = 0; i < 2; i++)
        guest_check(number(group[i], SOL_SOCKET, SO_REUSEPORT) == 1, "SO_REUSEPORT is lost");
    guest_check(number(six, IPPROTO_IPV6, IPV6_V6ONLY) == 1, "IPV6_V6ONLY is lost");
    struct tcp_info info = {0};
    size = sizeof(info);
    getsockopt(options, IPPROTO_TCP, TCP_INFO, &info, &size);
    guest_check(info.tcpi_state == TCP_LISTEN && info.tcpi_sacked == 17, "the backlog is %u",
                info.tcpi_sacked);
    guest_check(fcntl(options, F_GETFL) & O_NONBLOCK, "O_NONBLOCK is lost");
    guest_check(accept(options, NULL, NULL) < 0 && errno == EAGAIN, "somebody connected");
}

static void prepare_options(void)
{
    options = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    set(options, SOL_SOCKET, SO_REUSEADDR, 1);
    set(options, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(options, SOL_SOCKET, SO_SNDBUF, 40000);
    set(options, IPPROTO_TCP, TCP_NODELAY, 1);
    set(options, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    set(options, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
    set(options, IPPROTO_TCP, TCP_MAXSEG, 1000);
    set(options, IPPROTO_IP, IP_TOS, 0x10);
    struct linger linger = {1, 3};
    struct timeval timeout = {2, 500000};
    setsockopt(options, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    setsockopt(options, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    struct sockaddr_in at = {0};
    listen_at(options, &at, 17);
}

int main(void)
{
    plain = listen_at(socket(AF_INET, SOCK_STREAM, 0), &plain_at, 5);
    prepare_options();
    for (int i = 0; i < 2; i++) {
        group[i] = socket(AF_INET, SOCK_STREAM, 0);
        set(group[i], SOL_SOCKET, SO_REUSEPORT, 1);
        listen_at(group[i], &group_at, 5);
    }
    socklen_t size = sizeof(six_at);
    six = socket(AF_INET6, SOCK_STREAM, 0);
    set(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    six_at = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    guest_need(bind(six, (struct sockaddr *)&six_at, size) == 0 && listen(six, 5) == 0 &&
                   getsockname(six, (struct sockaddr *)&six_at, &size) == 0,
               "an IPv6 socket");
    bound = socket(AF_INET, SOCK_STREAM, 0);
    size = sizeof(bound_at);
    bound_at.sin_family = AF_INET;
    guest_need(bind(bound, (struct sockaddr *)&bound_at, size) == 0 &&
                   getsockname(bound, (struct sockaddr *)&bound_at, &size) == 0,
               "a bound socket");
    guest_serve(verify);
}
