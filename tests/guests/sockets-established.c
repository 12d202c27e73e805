/* TCP connections, both ends in the container: with data on the way in both directions, more than
 * the receiver takes, half-closed, IPv4 and IPv6. With an argument, a client that is outside: it
 * listens there and echoes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "guest.h"

#define MUCH (3 << 20)

static int plain[2], six[2], full[2], half[2], idle[2];
static uint64_t rounds;
static size_t stuffed;

static void connect_pair(int family, int pair[2])
{
    struct sockaddr_storage at = {.ss_family = (sa_family_t)family};
    socklen_t size = sizeof(at);
    if (family == AF_INET)
        ((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&at)->sin6_addr = (struct in6_addr)IN6ADDR_LOOPBACK_INIT;
    int listener = socket(family, SOCK_STREAM, 0);
    pair[0] = socket(family, SOCK_STREAM, 0);
    guest_need(bind(listener, (struct sockaddr *)&at, sizeof(struct sockaddr_in6)) == 0 &&
                   listen(listener, 1) == 0 &&
                   getsockname(listener, (struct sockaddr *)&at, &size) == 0 &&
                   connect(pair[0], (struct sockaddr *)&at, size) == 0 &&
                   (pair[1] = accept(listener, NULL, NULL)) >= 0,
               "a connection");
    close(listener);
}

static void put(int fd, uint64_t seed, size_t size)
{
    static char data[65536];
    guest_fill(data, size, seed);
    ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    guest_check(n == (ssize_t)size, "a socket takes %zd of %zu bytes: %s", n, size,
                strerror(errno));
}

/* All of it, in at most 5 s. */
static bool get(int fd, uint64_t seed, size_t size)
{
    static char data[MUCH];
    size_t have = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (have < size && poll(&p, 1, 5000) == 1) {
        ssize_t n = recv(fd, data + have, size - have, MSG_DONTWAIT);
        if (n <= 0)
            break;
        have += (size_t)n;
    }
    return have == size && guest_filled(data, size, seed);
}

/* As much as goes in, until nothing more does. */
static size_t stuff(int fd, uint64_t seed)
{
    static char data[MUCH];
    size_t done = 0;
    guest_fill(data, MUCH, seed);
    for (int still = 0; done < MUCH && still < 20;) {
        ssize_t n = send(fd, data + done, MUCH - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            done += (size_t)n, still = 0;
        else
            still++, guest_sleep(MILLISECOND);
    }
    return done;
}

static void fill(void)
{
    rounds++;
    put(plain[0], rounds, 40000);
    put(plain[1], rounds + 1, 8000);
    put(six[0], rounds + 2, 8000);
    put(half[1], rounds + 3, 800);
    stuffed = stuff(full[0], rounds + 4);
}

static void check_end(int fd, const char *what)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    guest_check(poll(&p, 1, 5000) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0, "%s", what);
}

static void verify(void)
{
    int on = 0;
    socklen_t size = sizeof(on);
    char byte;
    guest_check(get(plain[1], rounds, 40000), "the data of the connection changed");
    guest_check(get(plain[0], rounds + 1, 8000), "the data the other way changed");
    guest_check(get(six[1], rounds + 2, 8000), "the data of the IPv6 connection changed");
    guest_check(get(full[1], rounds + 4, stuffed & ~(size_t)7), "what was on the way is lost");
    guest_check(recv(full[1], &byte, stuffed & 7, MSG_DONTWAIT) <= 7, "too much arrives");
    guest_check(get(half[0], rounds + 3, 800), "the half-closed connection lost data");
    check_end(half[1], "the half-closed end is not at its end");
    guest_check(send(half[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE,
                "one can write to the end that was shut down");
    guest_check(recv(idle[0], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN,
                "the idle connection speaks");
    guest_check(send(idle[1], "i", 1, MSG_NOSIGNAL) == 1 && recv(idle[0], &byte, 1, 0) == 1,
                "the idle connection is dead");
    getsockopt(plain[0], IPPROTO_TCP, TCP_NODELAY, &on, &size);
    guest_check(on == 1, "TCP_NODELAY is lost");
    fill();
}

int main(void)
{
    int yes = 1;
    connect_pair(AF_INET, plain);
    connect_pair(AF_INET6, six);
    connect_pair(AF_INET, full);
    connect_pair(AF_INET, half);
    connect_pair(AF_INET, idle);
    setsockopt(plain[0], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    shutdown(half[0], SHUT_WR);
    fill();
    guest_serve(verify);
}
