/* Which processors a process and a thread of it may run on, and its priority at the disk. */
#include <pthread.h>
#include <sched.h>

#include "guest.h"

#define IO_BEST_EFFORT_6 ((2 << 13) | 6)

static pid_t thread_id;
static cpu_set_t first, last;

static void *thread(void *unused)
{
    guest_need(sched_setaffinity(0, sizeof(last), &last) == 0, "the thread's affinity");
    __atomic_store_n(&thread_id, gettid(), __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return unused;
}

static void verify(void)
{
    cpu_set_t now;
    guest_check(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &first),
                "the affinity of the process changed");
    guest_check(sched_getaffinity(thread_id, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &last),
                "the affinity of the thread changed");
    guest_check(syscall(SYS_ioprio_get, 1, 0) == IO_BEST_EFFORT_6, "the I/O priority is %ld",
                syscall(SYS_ioprio_get, 1, 0));
}

int main(void)
{
    cpu_set_t all;
    pthread_t t;
    guest_need(sched_getaffinity(0, sizeof(all), &all) == 0, "the affinity");
    CPU_ZERO(&first);
    CPU_ZERO(&last);
    for (int i = CPU_SETSIZE - 1; i >= 0; i--) {
        if (!CPU_ISSET(i, &all))
            continue;
        if (CPU_COUNT(&last) == 0)
            CPU_SET(i, &last);
        CPU_ZERO(&first);
        CPU_SET(i, &first);
    }
    guest_need(pthread_create(&t, NULL, thread, NULL) == 0, "a thread");
    guest_need(sched_setaffinity(0, sizeof(first), &first) == 0, "the affinity");
    guest_need(syscall(SYS_ioprio_set, 1, 0, IO_BEST_EFFORT_6) == 0, "the I/O priority");
    while (!__atomic_load_n(&thread_id, __ATOMIC_SEQ_CST))
        guest_sleep(MILLISECOND);
    guest_serve(verify);
}
