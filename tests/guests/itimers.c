/* Interval timers: they go on ticking, and a one-shot timer keeps the rest of its time. */
#include <sys/time.h>

#include "guest.h"

static unsigned ticks;

static void tick(int sig)
{
    ticks++;
}

static void verify(void)
{
    struct itimerval v;
    guest_check(guest_grows(&ticks, ticks + 5), "ITIMER_REAL does not tick any more");
    getitimer(ITIMER_REAL, &v);
    guest_check(v.it_interval.tv_sec == 0 && v.it_interval.tv_usec == 20000,
                "the interval of ITIMER_REAL is %ld", (long)v.it_interval.tv_usec);
    getitimer(ITIMER_VIRTUAL, &v);
    guest_check(v.it_value.tv_sec > 900 && v.it_value.tv_sec <= 1000 && v.it_interval.tv_sec == 77,
                "ITIMER_VIRTUAL is at %ld s, interval %ld", (long)v.it_value.tv_sec,
                (long)v.it_interval.tv_sec);
    getitimer(ITIMER_PROF, &v);
    guest_check(v.it_value.tv_sec > 1900 && v.it_value.tv_sec <= 2000 && v.it_interval.tv_sec == 0,
                "ITIMER_PROF is at %ld s", (long)v.it_value.tv_sec);
}

int main(void)
{
    struct sigaction a = {.sa_handler = tick, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &a, NULL);
    struct itimerval real = {{0, 20000}, {0, 20000}};
    struct itimerval virtual = {{77, 0}, {1000, 0}}, prof = {{0, 0}, {2000, 0}};
    guest_need(setitimer(ITIMER_REAL, &real, NULL) == 0 &&
                   setitimer(ITIMER_VIRTUAL, &virtual, NULL) == 0 &&
                   setitimer(ITIMER_PROF, &prof, NULL) == 0,
               "the timers");
    guest_serve(verify);
}
