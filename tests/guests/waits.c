/* Threads that wait without end, in every way to wait: a restore wakes none of them, and each is
 * woken by what it waits for. */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>

#include "guest.h"

static int pipes[13][2];
static unsigned futex_word;
static pid_t child;

static int by_read(int i)
{
    char c;
    return read(pipes[i][0], &c, 1) == 1 ? 0 : -1;
}

static int by_poll(int i)
{
    struct pollfd p = {.fd = pipes[i][0], .events = POLLIN};
    return poll(&p, 1, -1) == 1 ? by_read(i) : -1;
}

static int by_long_poll(int i)
{
    struct pollfd p = {.fd = pipes[i][0], .events = POLLIN};
    return poll(&p, 1, 3600 * 1000) == 1 ? by_read(i) : -1;
}

static int by_ppoll(int i)
{
    struct pollfd p = {.fd = pipes[i][0], .events = POLLIN};
    sigset_t mask;
    sigfillset(&mask);
    return ppoll(&p, 1, NULL, &mask) == 1 ? by_read(i) : -1;
}

static int by_select(int i)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipes[i][0], &set);
    return select(pipes[i][0] + 1, &set, NULL, NULL, NULL) == 1 ? by_read(i) : -1;
}

static int by_futex(int i)
{
    unsigned seen = __atomic_load_n(&futex_word, __ATOMIC_SEQ_CST);
    return (int)syscall(SYS_futex, &futex_word, 0, seen, NULL, NULL, 0);
}

static int by_wait(int i)
{
    int status;
    return waitpid(child, &status, __WALL) == child && WEXITSTATUS(status) == 9 ? 0 : -1;
}

static int by_write(int i)
{
    static char data[65536];
    return write(pipes[i][1], data, sizeof(data)) == sizeof(data) ? 0 : -1;
}

static int epoll_of(int i)
{
    struct epoll_event e = {.events = EPOLLIN};
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_ctl(fd, EPOLL_CTL_ADD, pipes[i][0], &e) == 0 ? fd : -1;
}

static int by_epoll(int i)
{
    struct epoll_event e;
    int fd = epoll_of(i), n = epoll_wait(fd, &e, 1, -1);
    close(fd);
    return n == 1 ? by_read(i) : -1;
}

static int by_long_epoll(int i)
{
    struct epoll_event e;
    sigset_t mask;
    sigfillset(&mask);
    int fd = epoll_of(i), n = epoll_pwait(fd, &e, 1, 3600 * 1000, &mask);
    close(fd);
    return n == 1 ? by_read(i) : -1;
}

static int by_signal(int i)
{
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    return sigwaitinfo(&set, &info) == SIGRTMIN ? by_read(i) : -1;
}

static int semaphore = -1;

static int by_semaphore(int i)
{
    struct sembuf down = {.sem_op = -1};
    return semop(semaphore, &down, 1) == 0 ? by_read(i) : -1;
}

static int by_receive(int i)
{
    char c;
    return recv(pipes[i][0], &c, 1, 0) == 1 ? 0 : -1;
}

static struct {
    const char *name;
    int (*wait)(int);
    unsigned waiting, woken;
} ways[] = {{"read", by_read, 0, 0},
            {"poll", by_poll, 0, 0},
            {"poll with a limit", by_long_poll, 0, 0},
            {"ppoll", by_ppoll, 0, 0},
            {"select", by_select, 0, 0},
            {"futex", by_futex, 0, 0},
            {"wait", by_wait, 0, 0},
            {"write", by_write, 0, 0},
            {"epoll_wait", by_epoll, 0, 0},
            {"epoll_pwait with a limit", by_long_epoll, 0, 0},
            {"sigwaitinfo", by_signal, 0, 0},
            {"semop", by_semaphore, 0, 0},
            {"recv with a limit", by_receive, 0, 0}};

enum { FUTEX = 5, WAIT = 6, WRITE = 7, SIGNAL = 10, SEMAPHORE = 11, RECEIVE = 12 };

static void start_child(void)
{
    child = fork();
    if (child == 0) {
        char c;
        _exit(read(pipes[WAIT][0], &c, 1) == 1 ? 9 : 1);
    }
}

static void *waiter(void *argument)
{
    size_t i = (size_t)argument;
    for (;;) {
        __atomic_fetch_add(&ways[i].waiting, 1, __ATOMIC_SEQ_CST);
        if (ways[i].wait((int)i) != 0)
            guest_fail("%s came back with %s", ways[i].name, strerror(errno));
        if (i == WAIT)
            start_child();
        __atomic_fetch_add(&ways[i].woken, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void wake(size_t i)
{
    static char data[65536];
    if (i == FUTEX) {
        __atomic_fetch_add(&futex_word, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &futex_word, 1, 1, NULL, NULL, 0);
    } else if (i == WRITE) {
        guest_check(read(pipes[i][0], data, sizeof(data)) == sizeof(data), "the pipe is not full");
    } else if (write(pipes[i][1], "x", 1) != 1) {
        guest_fail("cannot wake %s", ways[i].name);
    }
    struct sembuf up = {.sem_op = 1};
    if (i == SIGNAL)
        kill(getpid(), SIGRTMIN);
    if (i == SEMAPHORE)
        semop(semaphore, &up, 1);
}

static void verify(void)
{
    guest_sleep(20 * MILLISECOND);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        unsigned woken = ways[i].woken;
        guest_check(ways[i].waiting == woken + 1, "%s was woken by nothing", ways[i].name);
        wake(i);
        guest_check(guest_grows(&ways[i].woken, woken), "%s is not woken any more", ways[i].name);
    }
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        guest_grows(&ways[i].waiting, ways[i].woken);
    guest_sleep(50 * MILLISECOND);
}

int main(void)
{
    static char data[65536];
    struct timeval hour = {.tv_sec = 3600};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    semaphore = semget(IPC_PRIVATE, 1, 0600);
    guest_need(semaphore >= 0, "a semaphore");
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        guest_need(
            (i == RECEIVE ? socketpair(AF_UNIX, SOCK_STREAM, 0, pipes[i]) : pipe(pipes[i])) == 0,
            "pipes");
    setsockopt(pipes[RECEIVE][0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof(hour));
    guest_need(write(pipes[WRITE][1], data, sizeof(data)) == sizeof(data), "a full pipe");
    start_child();
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        pthread_t t;
        guest_need(pthread_create(&t, NULL, waiter, (void *)i) == 0, "a thread");
    }
    guest_sleep(100 * MILLISECOND);
    guest_serve(verify);
}
