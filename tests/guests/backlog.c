/* A server that is busy: connections with data in them wait, again and again, to be accepted. No
 * checkpoint can keep that; but it passes. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest.h"

static unsigned rounds, failures;

static void *serve(void *context)
{
    const struct sockaddr_un *at = context;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(at->sun_path);
    guest_need(bind(listener, (const struct sockaddr *)at, sizeof(*at)) == 0 &&
                   listen(listener, 4) == 0,
               "a listening socket");
    for (;;) {
        unsigned got = 0, number = rounds + 1;
        int client = socket(AF_UNIX, SOCK_STREAM, 0);
        bool sent = connect(client, (const struct sockaddr *)at, sizeof(*at)) == 0 &&
                    send(client, &number, sizeof(number), MSG_NOSIGNAL) == sizeof(number);
        guest_sleep(10 * MILLISECOND);
        int server = accept(listener, NULL, NULL);
        if (!sent || recv(server, &got, sizeof(got), 0) != sizeof(got) || got != number)
            failures++;
        close(server);
        close(client);
        __atomic_store_n(&rounds, number, __ATOMIC_SEQ_CST);
        guest_sleep(10 * MILLISECOND);
    }
    return NULL;
}

static void verify(void)
{
    guest_check(guest_grows(&rounds, rounds + 1), "the server has stopped");
    guest_check(failures == 0, "%u of %u connections failed", failures, rounds);
}

int main(void)
{
    static struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/tmp/backlog"};
    pthread_t t;
    guest_need(pthread_create(&t, NULL, serve, &at) == 0, "a thread");
    guest_serve(verify);
}
