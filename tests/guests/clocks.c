/* Says its clocks on SIGUSR1, and when a sleep until a moment of CLOCK_MONOTONIC has ended. */
#include "guest.h"

#include <pthread.h>

static int64_t in(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void *sleep_until(void *moment)
{
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, moment, NULL);
    guest_say("woke %lld %lld\n", (long long)in(CLOCK_MONOTONIC), (long long)in(CLOCK_BOOTTIME));
    return NULL;
}

int main(void)
{
    struct timespec moment;
    pthread_t thread;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    moment.tv_sec += 4;
    guest_need(pthread_create(&thread, NULL, sleep_until, &moment) == 0, "a thread");
    guest_say("ready %lld %lld\n", (long long)in(CLOCK_MONOTONIC), (long long)in(CLOCK_BOOTTIME));
    for (int n = 1;; n++) {
        guest_wait_request();
        guest_say("at%d %lld %lld\n", n, (long long)in(CLOCK_MONOTONIC),
                  (long long)in(CLOCK_BOOTTIME));
    }
}
