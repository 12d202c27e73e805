/* Holds objects that a checkpoint cannot keep yet, each argument names one, and a child holds them,
 * too. The checkpoint must be refused, and this program must not notice. */
#include <mqueue.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest.h"

static int fds[16], held;

static int make_io_uring(void)
{
    struct {
        uint32_t words[30];
    } parameters = {{0}};
    return (int)syscall(SYS_io_uring_setup, 4, &parameters);
}

/* A server that the test has in a directory both can see. */
static int make_outside(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/outside/socket"};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(s, (struct sockaddr *)&at, sizeof(at)) == 0 ? s : -1;
}

static int make_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0);
}

static int make_fanotify(void)
{
    return fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
}

static int make_notified(void)
{
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    mqd_t q = mq_open("/notified", O_CREAT | O_RDWR, 0600, NULL);
    return q >= 0 && mq_notify(q, &e) == 0 ? q : -1;
}

static const struct {
    const char *name;
    int (*make)(void);
} objects[] = {
    {"io_uring", make_io_uring}, {"netlink", make_netlink},   {"outside", make_outside},
    {"fanotify", make_fanotify}, {"notified", make_notified},
};

static void verify(void)
{
    for (int i = 0; i < held; i++)
        guest_check(fcntl(fds[i], F_GETFD) >= 0, "a descriptor is gone");
}

int main(int argc, char **argv)
{
    for (int n = 1; n < argc && held < (int)COUNT_OF(fds); n++)
        for (size_t i = 0; i < COUNT_OF(objects); i++)
            if (strcmp(argv[n], objects[i].name) == 0) {
                fds[held++] = objects[i].make();
                guest_need(fds[held - 1] >= 0, argv[n]);
            }
    guest_need(held == argc - 1 && held, "objects");
    if (fork() == 0)
        for (;;)
            pause();
    guest_serve(verify);
}
