/* POSIX timers: ids with gaps, clocks, signals with values, overruns, armed and disarmed ones. */
#include "guest.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

struct timer {
    int clock, notify, sig, value;
    long interval_ms; /* 0: disarmed; -1: armed once, far away */
    int id;
};

static struct timer timers[] = {
    {CLOCK_MONOTONIC, SIGEV_SIGNAL, 40, 4711, 10, -1},
    {CLOCK_REALTIME, SIGEV_SIGNAL, 0, 1, 0, -1}, /* deleted again: a gap in the ids */
    {CLOCK_REALTIME, SIGEV_SIGNAL, 41, -5, 15, -1},
    {CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, -1, -1},
    {CLOCK_REALTIME, SIGEV_SIGNAL, 0, 1, 0, -1}, /* another gap */
    {CLOCK_BOOTTIME, SIGEV_THREAD_ID, 42, 77, 12, -1},
    {CLOCK_MONOTONIC, SIGEV_SIGNAL, 43, 5, 0, -1},
    {CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, 44, 6, -1, -1},
};

static unsigned fired[65];
static int values[65];
static int overruns;

static void handler(int sig, siginfo_t *info, void *context)
{
    values[sig] = info->si_value.sival_int;
    if (info->si_code != SI_TIMER)
        guest_fail("signal %d is not from a timer", sig);
    if (sig == 40)
        overruns += info->si_overrun;
    fired[sig]++;
}

/* The raw calls: glibc would hide the kernel's ids. */
static int create(struct timer *t)
{
    struct sigevent e = {.sigev_notify = t->notify, .sigev_signo = t->sig ? t->sig : 45};
    e.sigev_value.sival_int = t->value;
    if (t->notify == SIGEV_THREAD_ID)
        e.sigev_notify_thread_id = gettid();
    return (int)syscall(SYS_timer_create, t->clock, &e, &t->id);
}

static int arm(struct timer *t)
{
    struct itimerspec v = {0};
    if (t->interval_ms > 0)
        v.it_interval.tv_nsec = v.it_value.tv_nsec = t->interval_ms * 1000000;
    else if (t->interval_ms < 0)
        v.it_value.tv_sec = 5000;
    return (int)syscall(SYS_timer_settime, t->id, 0, &v, NULL);
}

static void verify_timer(struct timer *t)
{
    struct itimerspec v = {0};
    guest_check(syscall(SYS_timer_gettime, t->id, &v) == 0, "timer %d is gone", t->id);
    guest_check(v.it_interval.tv_nsec == (t->interval_ms > 0 ? t->interval_ms * 1000000 : 0),
                "the interval of timer %d is %ld", t->id, v.it_interval.tv_nsec);
    if (t->interval_ms < 0)
        guest_check(v.it_value.tv_sec > 4000 && v.it_value.tv_sec <= 5000, "timer %d is at %ld s",
                    t->id, (long)v.it_value.tv_sec);
    if (t->interval_ms == 0)
        guest_check(v.it_value.tv_sec == 0 && v.it_value.tv_nsec == 0, "timer %d is armed", t->id);
    if (t->interval_ms <= 0)
        return;
    guest_check(guest_grows(&fired[t->sig], fired[t->sig] + 2), "timer %d does not fire", t->id);
    guest_check(values[t->sig] == t->value, "timer %d has value %d", t->id, values[t->sig]);
}

static void verify_overrun(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, 40);
    sigprocmask(SIG_BLOCK, &set, NULL);
    overruns = 0;
    unsigned before = fired[40];
    guest_sleep(100 * MILLISECOND);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    guest_check(fired[40] > before && overruns >= 5, "%d overruns are counted", overruns);
}

static void verify(void)
{
    for (size_t i = 0; i < COUNT_OF(timers); i++)
        if (timers[i].id >= 0)
            verify_timer(&timers[i]);
    verify_overrun();
    struct timer extra = {CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, 0, -1};
    guest_check(create(&extra) == 0, "no more timers can be made");
    for (size_t i = 0; i < COUNT_OF(timers); i++)
        guest_check(extra.id != timers[i].id, "the new timer got the used id %d", extra.id);
    syscall(SYS_timer_delete, extra.id);
}

int main(void)
{
    struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    for (int sig = 40; sig <= 44; sig++)
        sigaction(sig, &a, NULL);
    for (size_t i = 0; i < COUNT_OF(timers); i++)
        guest_need(create(&timers[i]) == 0, "the timers");
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        if (timers[i].sig == 0 && timers[i].notify == SIGEV_SIGNAL) {
            syscall(SYS_timer_delete, timers[i].id);
            timers[i].id = -1;
        } else {
            guest_need(arm(&timers[i]) == 0, "a timer");
        }
    }
    guest_serve(verify);
}
