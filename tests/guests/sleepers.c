/* Threads in the middle of their sleep, in every way to sleep: none is woken early or in error. */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>

#include "guest.h"

#define NAP (400 * MILLISECOND)

static int with_rest(void)
{
    struct timespec t = {0, NAP}, rest;
    return nanosleep(&t, &rest);
}

static int without_rest(void)
{
    struct timespec t = {0, NAP};
    return nanosleep(&t, NULL);
}

static int until(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += NAP;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int real_time(void)
{
    struct timespec t = {0, NAP};
    return clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL);
}

static int by_poll(void)
{
    return poll(NULL, 0, NAP / MILLISECOND);
}

static int by_select(void)
{
    struct timeval t = {0, NAP / 1000};
    return select(0, NULL, NULL, NULL, &t);
}

static int by_futex(void)
{
    static unsigned word;
    struct timespec t = {0, NAP};
    long r = syscall(SYS_futex, &word, 0, 0, &t, NULL, 0);
    return r < 0 && errno == ETIMEDOUT ? 0 : -1;
}

static int by_epoll(void)
{
    struct epoll_event e;
    int fd = epoll_create1(EPOLL_CLOEXEC), n = epoll_wait(fd, &e, 1, NAP / MILLISECOND);
    close(fd);
    return n;
}

static int by_signal(void)
{
    struct timespec t = {0, NAP};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return sigtimedwait(&set, NULL, &t) < 0 && errno == EAGAIN ? 0 : -1;
}

static int by_semaphore(void)
{
    struct timespec t = {0, NAP};
    struct sembuf down = {.sem_op = -1};
    int id = semget(IPC_PRIVATE, 1, 0600), r = semtimedop(id, &down, 1, &t);
    int well = r < 0 && errno == EAGAIN;
    semctl(id, 0, IPC_RMID);
    return well ? 0 : -1;
}

static struct {
    const char *name;
    int (*sleep)(void);
    unsigned naps;
} ways[] = {{"nanosleep", with_rest, 0},
            {"nanosleep without rest", without_rest, 0},
            {"clock_nanosleep until", until, 0},
            {"clock_nanosleep", real_time, 0},
            {"poll", by_poll, 0},
            {"select", by_select, 0},
            {"futex", by_futex, 0},
            {"epoll_wait", by_epoll, 0},
            {"sigtimedwait", by_signal, 0},
            {"semtimedop", by_semaphore, 0}};

static void *sleeper(void *argument)
{
    size_t i = (size_t)argument;
    for (;;) {
        int64_t before = guest_now();
        int r = ways[i].sleep();
        int64_t slept = guest_now() - before;
        if (r != 0)
            guest_fail("%s gave %d: %s", ways[i].name, r, strerror(errno));
        if (slept < NAP - 5 * MILLISECOND)
            guest_fail("%s came back after %ld ms", ways[i].name, (long)(slept / MILLISECOND));
        __atomic_fetch_add(&ways[i].naps, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

static void verify(void)
{
    unsigned before[COUNT_OF(ways)];
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        before[i] = ways[i].naps;
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        guest_check(guest_grows(&ways[i].naps, before[i]), "%s sleeps for ever", ways[i].name);
}

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        pthread_t t;
        guest_need(pthread_create(&t, NULL, sleeper, (void *)i) == 0, "a thread");
    }
    guest_serve(verify);
}
