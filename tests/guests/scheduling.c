/* Nice value, scheduling policy, per thread. */
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "guest.h"

static pid_t thread_id;

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
    guest_check(getpriority(PRIO_PROCESS, 0) == 7, "nice is %d", getpriority(PRIO_PROCESS, 0));
    guest_check(getpriority(PRIO_PROCESS, (id_t)thread_id) == 11, "nice of the thread is %d",
                getpriority(PRIO_PROCESS, (id_t)thread_id));
    guest_check(sched_getscheduler(0) == SCHED_BATCH, "the policy is %d", sched_getscheduler(0));
    guest_check(sched_getscheduler(thread_id) == SCHED_IDLE, "the policy of the thread is %d",
                sched_getscheduler(thread_id));
}

int main(void)
{
    struct sched_param p = {0};
    pthread_t t;
    guest_need(pthread_create(&t, NULL, thread, NULL) == 0, "a thread");
    guest_need(setpriority(PRIO_PROCESS, 0, 7) == 0, "the nice value");
    guest_need(sched_setscheduler(0, SCHED_BATCH, &p) == 0, "the policy");
    while (!__atomic_load_n(&thread_id, __ATOMIC_SEQ_CST))
        guest_sleep(MILLISECOND);
    guest_sleep(50 * MILLISECOND);
    guest_serve(verify);
}
