/* A TCP connection that is being opened: the one who listens has no room for it yet. Others that he
 * has closed linger at his port, which he has bound without SO_REUSEADDR. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "guest.h"

static int listener, first, opening;
static struct sockaddr_in at;

static int state(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.tcpi_state;
}

static int start_opening(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno != EINPROGRESS)
        guest_fail("connect: %s", strerror(errno));
    return fd;
}

/* The second one is not answered. */
static void prepare(void)
{
    first = start_opening();
    struct pollfd p = {.fd = first, .events = POLLOUT};
    guest_check(poll(&p, 1, 2000) == 1, "nobody listens");
    opening = start_opening();
    guest_sleep(20 * MILLISECOND);
    guest_check(state(opening) == TCP_SYN_SENT, "the state is %d", state(opening));
}

static uint16_t port_of(int fd, bool peer)
{
    struct sockaddr_in is = {0};
    socklen_t size = sizeof(is);
    int r = peer ? getpeername(fd, (struct sockaddr *)&is, &size)
                 : getsockname(fd, (struct sockaddr *)&is, &size);
    return r < 0 ? 0 : is.sin_port;
}

static void verify(void)
{
    char byte = 0;
    uint16_t port = port_of(opening, false);
    struct pollfd p = {.fd = listener, .events = POLLIN};
    int accepted = -1;
    while (accepted < 0 && poll(&p, 1, 10000) == 1) {
        accepted = accept(listener, NULL, NULL);
        if (accepted >= 0 && port_of(accepted, true) != port) {
            close(accepted);
            accepted = -1;
        }
    }
    guest_check(accepted >= 0, "the connection is never opened");
    struct pollfd ready = {.fd = opening, .events = POLLOUT};
    guest_check(poll(&ready, 1, 2000) == 1 && send(opening, "x", 1, MSG_NOSIGNAL) == 1,
                "nothing can be sent: %s", strerror(errno));
    struct pollfd arrived = {.fd = accepted, .events = POLLIN};
    guest_check(poll(&arrived, 1, 2000) == 1 && recv(accepted, &byte, 1, MSG_DONTWAIT) == 1 &&
                    byte == 'x',
                "nothing comes through");
    close(accepted);
    close(opening);
    close(first);
    prepare();
}

int main(void)
{
    socklen_t size = sizeof(at);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    guest_need(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 &&
                   listen(listener, 0) == 0 &&
                   getsockname(listener, (struct sockaddr *)&at, &size) == 0,
               "a listening socket");
    prepare();
    guest_serve(verify);
}
