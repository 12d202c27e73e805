/* Threads that end after a restore are seen to end: the kernel clears and wakes the tid address. */
#include <pthread.h>

#include "guest.h"

static pthread_t thread;
static volatile bool leave;
static unsigned started;

static void *wait_to_leave(void *argument)
{
    __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    while (!leave)
        guest_sleep(5 * MILLISECOND);
    return argument;
}

static void start(void)
{
    unsigned before = started;
    leave = false;
    guest_need(pthread_create(&thread, NULL, wait_to_leave, (void *)0x77) == 0, "a thread");
    guest_need(guest_grows(&started, before), "the thread");
}

static void verify(void)
{
    void *result = NULL;
    struct timespec end;
    leave = true;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 5;
    guest_check(pthread_timedjoin_np(thread, &result, &end) == 0,
                "the end of a thread is not seen");
    guest_check(result == (void *)0x77, "the result of the thread is %p", result);
    guest_check(gettid() == getpid(), "the main thread has id %d", gettid());
    start();
}

int main(void)
{
    start();
    guest_serve(verify);
}
