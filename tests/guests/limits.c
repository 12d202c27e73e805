/* Resource limits, soft and hard, of a process and of its child. */
#include <sys/resource.h>

#include "guest.h"

static struct {
    int resource;
    struct rlimit limit;
} limits[] = {
    {RLIMIT_NOFILE, {101, 203}},
    {RLIMIT_CORE, {0, 4096}},
    {RLIMIT_STACK, {4 << 20, 8 << 20}},
    {RLIMIT_CPU, {1000, 2000}},
    {RLIMIT_FSIZE, {1 << 30, RLIM_INFINITY}},
    {RLIMIT_MEMLOCK, {16384, 32768}},
    {RLIMIT_SIGPENDING, {50, 60}},
    {RLIMIT_MSGQUEUE, {4096, 8192}},
    {RLIMIT_RTTIME, {500000, RLIM_INFINITY}},
};

static struct guest_child child;

static void verify_own(void)
{
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct rlimit now;
        getrlimit(limits[i].resource, &now);
        guest_check(
            now.rlim_cur == limits[i].limit.rlim_cur && now.rlim_max == limits[i].limit.rlim_max,
            "limit %d is %ld/%ld", limits[i].resource, (long)now.rlim_cur, (long)now.rlim_max);
    }
}

static void verify(void)
{
    verify_own();
    guest_ask(&child);
}

int main(void)
{
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        guest_need(setrlimit(limits[i].resource, &limits[i].limit) == 0, "the limits");
    child = guest_fork(verify_own);
    guest_serve(verify);
}
