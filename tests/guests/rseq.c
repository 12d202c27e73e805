/* Restartable sequences: the area that glibc registered is still the kernel's to write. */
#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>

#include "guest.h"

static unsigned asked, answered;

static struct rseq *area(void)
{
    return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Moves from processor to processor and looks whether the area says so. */
static void verify_here(void)
{
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof(all), &all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
        volatile struct rseq *r = area();
        guest_check(r->cpu_id == (uint32_t)cpu, "on processor %d the area says %u", cpu, r->cpu_id);
        guest_check(r->rseq_cs == 0, "the area is inside a sequence");
    }
    sched_setaffinity(0, sizeof(all), &all);
}

static void *other(void *unused)
{
    for (unsigned done = 0;; done++) {
        __atomic_store_n(&answered, done + 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&asked, __ATOMIC_SEQ_CST) <= done)
            guest_sleep(5 * MILLISECOND);
        verify_here();
    }
    return unused;
}

static void verify(void)
{
    unsigned before = answered;
    verify_here();
    __atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
    guest_check(guest_grows(&answered, before), "the thread does not answer");
}

int main(void)
{
    pthread_t t;
    errno = ENOSYS;
    guest_need(__rseq_size > 0, "restartable sequences");
    guest_need(pthread_create(&t, NULL, other, NULL) == 0, "a thread");
    guest_need(guest_grows(&answered, 0), "the thread");
    guest_serve(verify);
}
