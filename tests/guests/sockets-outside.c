/* Unix sockets that lead outside: connected to a server of the test's, as stream and as datagrams,
 * in a directory that both see. What became of them is told in words. */
#include <sys/socket.h>
#include <sys/un.h>

#include "guest.h"

static int stream, datagrams;

static int connected(int type, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, path);
    int fd = socket(AF_UNIX, type, 0);
    guest_need(fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0, path);
    return fd;
}

static void verify(void)
{
    char byte;
    bool sent = send(stream, "stream", 6, 0) == 6, sent_datagram = send(datagrams, "dg", 2, 0) == 2;
    if (recv(stream, &byte, 1, sent ? MSG_DONTWAIT : 0) == 0)
        guest_say("hung up\n");
    else if (sent)
        guest_say("connected\n");
    guest_say("datagrams %s\n", sent_datagram ? "sent" : strerror(errno));
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    stream = connected(SOCK_STREAM, "/outside/socket");
    datagrams = connected(SOCK_DGRAM, "/outside/log");
    guest_need(send(stream, "first", 5, 0) == 5, "data");
    guest_serve(verify);
}
