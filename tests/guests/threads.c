/* 64 threads that hand a token around under one mutex and condition variable, all the time, each
 * with thread-local numbers; some calculate in vector registers, some have a timer of their own. */
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "guest.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define THREADS 64
#define TICK    SIGRTMIN

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static unsigned turn, rounds, sleeps, calculations, ticks;
static int timers;
static unsigned long work[THREADS];
static _Thread_local unsigned long own, own_twice;
static _Thread_local char own_array[100] = "initial";

/* Four numbers at once (AVX where there is AVX, see meson.build). */
typedef double vector __attribute__((vector_size(32)));

static vector right;
static _Thread_local unsigned own_ticks;

__attribute__((noinline)) static vector calculate(void)
{
    vector x = {1, 2, 3, 4}, a = {1.5, 0.25, -0.75, 0.125}, b = {0.5, 3, 7, -1};
    for (int i = 0; i < 20000; i++)
        x = x * a * 0.5 + b;
    return x;
}

static void check_calculation(void)
{
    vector x = calculate();
    if (memcmp(&x, &right, sizeof(x)) != 0)
        guest_fail("a calculation in vector registers went wrong: %g %g %g %g", x[0], x[1], x[2],
                   x[3]);
    __atomic_fetch_add(&calculations, 1, __ATOMIC_SEQ_CST);
}

static void tick(int sig, siginfo_t *info, void *context)
{
    if (info->si_value.sival_int != gettid())
        guest_fail("the timer of thread %d ticks in thread %d", info->si_value.sival_int, gettid());
    own_ticks++;
    __atomic_fetch_add(&ticks, 1, __ATOMIC_SEQ_CST);
}

static void start_timer(void)
{
    timer_t id;
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK};
    struct itimerspec every = {{0, 20 * MILLISECOND}, {0, 20 * MILLISECOND}};
    e.sigev_value.sival_int = gettid();
    e.sigev_notify_thread_id = gettid();
    guest_need(timer_create(CLOCK_MONOTONIC, &e, &id) == 0 &&
                   timer_settime(id, 0, &every, NULL) == 0,
               "a timer");
    __atomic_fetch_add(&timers, 1, __ATOMIC_SEQ_CST);
}

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
    if (me % 8 == 2)
        start_timer();
    for (;;) {
        if (me % 16 == 1)
            check_calculation();
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
    unsigned slept = sleeps, calculated = calculations, ticked = ticks;
    guest_check(guest_grows(&rounds, rounds + 3), "the token does not go around any more");
    guest_check(guest_grows(&sleeps, slept + 3), "sleeping threads do not wake up");
    guest_check(guest_grows(&calculations, calculated + 3), "nobody calculates any more");
    guest_check(guest_grows(&ticks, ticked + 2u * (unsigned)timers), "the timers do not tick");
}

int main(void)
{
    struct sigaction a = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(TICK, &a, NULL);
    right = calculate();
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t t;
        guest_need(pthread_create(&t, NULL, worker, (void *)i) == 0, "64 threads");
    }
    guest_need(guest_grows(&rounds, 3), "the token");
    guest_serve(verify);
}
