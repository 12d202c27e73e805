/* timerfd_create(2): armed and not, periodic with expirations nobody read, absolute ones. */
#include <poll.h>
#include <sys/timerfd.h>

#include "guest.h"

#define HOUR   3600
#define SECOND 1000000000LL

static int idle, periodic, once, hour, wall, expired;
static int64_t wall_time, periodic_since, counted;

static int64_t read_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static int make(clockid_t clock, int flags, int64_t value, int64_t interval)
{
    int fd = timerfd_create(clock, TFD_NONBLOCK);
    struct itimerspec t = {
        .it_value = {value / SECOND, value % SECOND},
        .it_interval = {interval / SECOND, interval % SECOND},
    };
    guest_need(fd >= 0 && timerfd_settime(fd, flags, &t, NULL) == 0, "a timerfd");
    return fd;
}

static int64_t left(int fd)
{
    struct itimerspec t = {0};
    timerfd_gettime(fd, &t);
    return t.it_value.tv_sec * SECOND + t.it_value.tv_nsec;
}

static uint64_t ticks(int fd)
{
    uint64_t n = 0;
    return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* As many as there were intervals while it ran: those before a checkpoint stay, and those of the
 * time away do not count. */
static void verify_periodic(void)
{
    struct pollfd p = {.fd = periodic, .events = POLLIN};
    guest_check(poll(&p, 1, 2000) == 1, "the periodic timer has not rung");
    int64_t n = (int64_t)ticks(periodic), at_most = (guest_now() - periodic_since) / 10000000 + 2;
    guest_check(n >= counted && n <= at_most,
                "the periodic timer rang %lld times, not %lld to %lld", (long long)n,
                (long long)counted, (long long)at_most);
    guest_check(poll(&p, 1, 2000) == 1, "the periodic timer rings no more");
    ticks(periodic);
    periodic_since = guest_now();
    guest_sleep(105 * MILLISECOND);
    counted = 10;
}

static void verify(void)
{
    guest_check(left(idle) == 0 && ticks(idle) == 0, "the idle timer is armed");
    verify_periodic();
    guest_check(ticks(expired) == 1 && left(expired) == 0, "the expired timer is not");
    guest_check(ticks(hour) == 0 && left(hour) > HOUR / 2 * SECOND && left(hour) <= HOUR * SECOND,
                "the timer of an hour has %lld s left", (long long)(left(hour) / SECOND));
    int64_t drift = wall_time - (read_clock(CLOCK_REALTIME) + left(wall));
    guest_check(ticks(wall) == 0 && drift < MILLISECOND && drift > -MILLISECOND,
                "the wall clock timer went %lld us wrong", (long long)(drift / 1000));
    struct pollfd p = {.fd = once, .events = POLLIN};
    guest_check(poll(&p, 1, 2000) == 1 && ticks(once) == 1, "the timer does not ring");
    struct itimerspec soon = {.it_value = {0, 100 * MILLISECOND}};
    timerfd_settime(once, 0, &soon, NULL);
    struct itimerspec now = {.it_value = {0, 1}};
    timerfd_settime(expired, 0, &now, NULL);
    guest_sleep(MILLISECOND);
}

int main(void)
{
    wall_time = read_clock(CLOCK_REALTIME) + HOUR * SECOND;
    idle = make(CLOCK_MONOTONIC, 0, 0, 0);
    periodic = make(CLOCK_MONOTONIC, 0, 10 * MILLISECOND, 10 * MILLISECOND);
    periodic_since = guest_now();
    once = make(CLOCK_BOOTTIME, 0, 100 * MILLISECOND, 0);
    hour = make(CLOCK_MONOTONIC, TFD_TIMER_ABSTIME, guest_now() + HOUR * SECOND, 0);
    wall = make(CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, wall_time, 0);
    expired = make(CLOCK_MONOTONIC, 0, 1, 0);
    guest_serve(verify);
}
