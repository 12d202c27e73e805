/* Nice value, scheduling policy, processor affinity, I/O priority, per thread. */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "guest.h"

#define IO_BEST_EFFORT_6 ((2 << 13) | 6)

static pid_t thread_id;
static cpu_set_t affinity;

static void *thread(void *unused)
{
    thread_id = gettid();
    struct sched_param p = {0};
    guest_need(setpriority(PRIO_PROCESS, (id_t)thread_id, 11) == 0, "the thread's nice value");
    guest_need(sched_setscheduler(thread_id, SCHED_IDLE, &p) == 0, "the thread's policy");
    for (;;)
        pause();
    return unused;
}

static void verify(void)
{
    cpu_set_t now;
    guest_check(getpriority(PRIO_PROCESS, 0) == 7, "nice is %d", getpriority(PRIO_PROCESS, 0));
    guest_check(getpriority(PRIO_PROCESS, (id_t)thread_id) == 11, "nice of the thread is %d",
                getpriority(PRIO_PROCESS, (id_t)thread_id));
    guest_check(sched_getscheduler(0) == SCHED_BATCH, "the policy is %d", sched_getscheduler(0));
    guest_check(sched_getscheduler(thread_id) == SCHED_IDLE, "the policy of the thread is %d",
                sched_getscheduler(thread_id));
    guest_check(sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &affinity),
                "the affinity changed");
    guest_check(syscall(SYS_ioprio_get, 1, 0) == IO_BEST_EFFORT_6, "the I/O priority is %ld",
                syscall(SYS_ioprio_get, 1, 0));
}

int main(void)
{
    struct sched_param p = {0};
    pthread_t t;
    guest_need(pthread_create(&t, NULL, thread, NULL) == 0, "a thread");
    guest_need(setpriority(PRIO_PROCESS, 0, 7) == 0, "the nice value");
    guest_need(sched_setscheduler(0, SCHED_BATCH, &p) == 0, "the policy");
    CPU_ZERO(&affinity);
    CPU_SET(0, &affinity);
    guest_need(sched_setaffinity(0, sizeof(affinity), &affinity) == 0, "the affinity");
    guest_need(syscall(SYS_ioprio_set, 1, 0, IO_BEST_EFFORT_6) == 0, "the I/O priority");
    while (!__atomic_load_n(&thread_id, __ATOMIC_SEQ_CST))
        guest_sleep(MILLISECOND);
    guest_sleep(50 * MILLISECOND);
    guest_serve(verify);
}
