/* Holds objects that a checkpoint cannot keep yet, each argument names one, and a child holds them,
 * too. The checkpoint must be refused, and this program must not notice. */
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <mqueue.h>
#include <netinet/in.h>
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

static int make_netfilter(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
}

/* An answer that nobody reads. */
static int make_unread(void)
{
    struct {
        struct nlmsghdr head;
        struct ifinfomsg body;
    } q = {.head = {sizeof(q), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}};
    struct sockaddr_nl at = {.nl_family = AF_NETLINK};
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    bool asked = bind(s, (struct sockaddr *)&at, sizeof(at)) == 0 && send(s, &q, sizeof(q), 0) > 0;
    return asked ? s : -1;
}

static int make_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int make_mptcp(void)
{
    return socket(AF_INET, SOCK_STREAM, 262);
}

static int make_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static int make_secretmem(void)
{
    return (int)syscall(SYS_memfd_secret, 0);
}

static int make_userfaultfd(void)
{
    return (int)syscall(SYS_userfaultfd, 1); /* UFFD_USER_MODE_ONLY */
}

static int make_perf(void)
{
    struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
                                .size = sizeof(a),
                                .config = PERF_COUNT_SW_TASK_CLOCK,
                                .exclude_kernel = 1};
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static int make_bpf(void)
{
    union bpf_attr a = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
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
    {"io_uring", make_io_uring},   {"netfilter", make_netfilter},
    {"unread", make_unread},       {"vsock", make_vsock},
    {"mptcp", make_mptcp},         {"packet", make_packet},
    {"secretmem", make_secretmem}, {"userfaultfd", make_userfaultfd},
    {"perf", make_perf},           {"bpf", make_bpf},
    {"outside", make_outside},     {"fanotify", make_fanotify},
    {"notified", make_notified},
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
