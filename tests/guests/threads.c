/* 64 threads that hand a token around under one mutex and condition variable, each with its own
 * thread-local numbers and a timer of its own, all the time. */
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "guest.h"

#define THREADS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static unsigned turn, rounds, sleeps;
static unsigned long work[THREADS];
static _Thread_local unsigned long own, own_twice;
static _Thread_local char own_array[100] = "initial";

static void do_own_work(unsigned me)
{
    own++;
    own_twice += 2;
    double x = (double)own * 1.25;
    if (own_twice != 2 * own)
        guest_fail("thread-local numbers of thread %u differ: %lu, %lu", me, own, own_twice);
    if (strcmp(own_array, "initial") != 0 || x / 1.25 != (double)own)
        guest_fail("thread-local data of thread %u changed", me);
    if (work[me] + 1 != own)
        guest_fail("thread %u worked %lu times, not %lu", me, work[me], own - 1);
    work[me] = own;
}

static void *worker(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != me) {
            if (me % 8 == 3) {
                struct timespec soon;
                clock_gettime(CLOCK_REALTIME, &soon);
                soon.tv_nsec = (soon.tv_nsec + 50 * MILLISECOND) % 1000000000;
                soon.tv_sec += soon.tv_nsec < 50 * MILLISECOND;
                pthread_cond_timedwait(&moved, &lock, &soon);
            } else {
                pthread_cond_wait(&moved, &lock);
            }
        }
        do_own_work(me);
        turn++;
        rounds += me == THREADS - 1;
        pthread_cond_broadcast(&moved);
        pthread_mutex_unlock(&lock);
        if (me % 16 == 5) {
            guest_sleep(MILLISECOND);
            __atomic_fetch_add(&sleeps, 1, __ATOMIC_SEQ_CST);
        }
    }
    return NULL;
}

static void verify(void)
{
    unsigned slept = sleeps;
    guest_check(guest_grows(&rounds, rounds + 3), "the token does not go around any more");
    guest_check(guest_grows(&sleeps, slept + 3), "sleeping threads do not wake up");
}

int main(void)
{
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t t;
        guest_need(pthread_create(&t, NULL, worker, (void *)i) == 0, "64 threads");
    }
    guest_need(guest_grows(&rounds, 3), "the token");
    guest_serve(verify);
}
