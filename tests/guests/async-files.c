/* Signal-driven input, fcntl(2): owner (process, group, thread), signal and O_ASYNC of files of
 * many kinds, and that the signal comes. */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "guest.h"

enum { PIPE, FIFO, UNIX, UDP, TCP, MASTER, SLAVE, INOTIFY, COUNT };

static const char *const names[COUNT] = {"pipe", "FIFO",   "unix socket", "UDP socket",
                                         "TCP",  "master", "slave",       "inotify"};
static int fds[COUNT], plain, pipe_end, unix_end;
static pid_t tid;
static struct f_owner_ex owners[COUNT];

static void *run_thread(void *unused)
{
    (void)unused;
    __atomic_store_n(&tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return NULL;
}

static void expect_signal(int i, const char *how, int64_t wanted)
{
    sigset_t set;
    siginfo_t info;
    struct timespec second = {1, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + i);
    guest_check(sigtimedwait(&set, &info, &second) == SIGRTMIN + i, "no signal of %s (%s)",
                names[i], how);
    guest_check(info.si_fd == wanted, "the signal of %s says descriptor %d", names[i], info.si_fd);
    struct timespec none = {0};
    while (sigtimedwait(&set, NULL, &none) > 0)
        ;
}

static void verify_signals(void)
{
    char text[4];
    guest_check(write(pipe_end, "x", 1) == 1, "write");
    expect_signal(PIPE, "data", fds[PIPE]);
    guest_check(read(fds[PIPE], text, 1) == 1, "read");
    guest_check(write(fds[FIFO], "x", 1) == 1, "write");
    expect_signal(FIFO, "data", fds[FIFO]);
    guest_check(read(fds[FIFO], text, 1) == 1, "read");
    guest_check(write(unix_end, "x", 1) == 1, "write");
    expect_signal(UNIX, "data", fds[UNIX]);
    guest_check(read(fds[UNIX], text, 1) == 1, "read");
}

static void verify(void)
{
    for (int i = 0; i < COUNT; i++) {
        struct f_owner_ex is = {0};
        guest_check(fcntl(fds[i], F_GETOWN_EX, &is) == 0 && is.type == owners[i].type &&
                        is.pid == owners[i].pid,
                    "the owner of %s is %d of type %d", names[i], is.pid, is.type);
        guest_check(fcntl(fds[i], F_GETSIG) == SIGRTMIN + i, "the signal of %s is %d", names[i],
                    fcntl(fds[i], F_GETSIG));
        guest_check(fcntl(fds[i], F_GETFL) & O_ASYNC, "%s is not asynchronous any more", names[i]);
        guest_check(fcntl(fds[i], F_GETFL) & O_NONBLOCK, "%s waits", names[i]);
    }
    guest_check(fcntl(plain, F_GETFL) & O_ASYNC && fcntl(plain, F_GETOWN) == 0,
                "a file without owner is not as it was");
    verify_signals();
}

static void make(void)
{
    int ends[2], pair[2];
    struct sockaddr_in any = {.sin_family = AF_INET};
    guest_need(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "pairs");
    fds[PIPE] = ends[0], pipe_end = ends[1];
    fds[UNIX] = pair[0], unix_end = pair[1];
    unlink("/tmp/async");
    guest_need(mkfifo("/tmp/async", 0600) == 0, "a FIFO");
    fds[FIFO] = open("/tmp/async", O_RDWR);
    fds[UDP] = socket(AF_INET, SOCK_DGRAM, 0);
    fds[TCP] = socket(AF_INET, SOCK_STREAM, 0);
    guest_need(bind(fds[TCP], (struct sockaddr *)&any, sizeof(any)) == 0 &&
                   listen(fds[TCP], 1) == 0,
               "a listening socket");
    fds[MASTER] = posix_openpt(O_RDWR | O_NOCTTY);
    guest_need(fds[MASTER] >= 0 && unlockpt(fds[MASTER]) == 0, "a terminal");
    fds[SLAVE] = open(ptsname(fds[MASTER]), O_RDWR | O_NOCTTY);
    fds[INOTIFY] = inotify_init();
    plain = socket(AF_UNIX, SOCK_DGRAM, 0);
    int on = 1;
    guest_need(ioctl(plain, FIOASYNC, &on) == 0, "a file without owner");
}

int main(void)
{
    pthread_t t;
    sigset_t all;
    sigemptyset(&all);
    for (int i = 0; i < COUNT; i++)
        sigaddset(&all, SIGRTMIN + i);
    sigprocmask(SIG_BLOCK, &all, NULL);
    guest_need(pthread_create(&t, NULL, run_thread, NULL) == 0, "a thread");
    while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
        guest_sleep(MILLISECOND);
    make();
    for (int i = 0; i < COUNT; i++) {
        owners[i] = (struct f_owner_ex){F_OWNER_PID, getpid()};
        if (i == UDP || i == SLAVE)
            owners[i] = (struct f_owner_ex){F_OWNER_TID, tid};
        if (i == TCP || i == FIFO)
            owners[i] = (struct f_owner_ex){F_OWNER_PGRP, getpgrp()};
        guest_need(fds[i] >= 0 && fcntl(fds[i], F_SETOWN_EX, &owners[i]) == 0 &&
                       fcntl(fds[i], F_SETSIG, SIGRTMIN + i) == 0 &&
                       fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_ASYNC | O_NONBLOCK) == 0,
                   names[i]);
    }
    guest_serve(verify);
}
