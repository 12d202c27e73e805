/* Clocks read without a system call: the vdso works, agrees with the kernel and never goes back. */
#include <sched.h>
#include <sys/auxv.h>
#include <sys/time.h>

#include "guest.h"

static int64_t last;

static int64_t by_syscall(clockid_t clock)
{
    struct timespec t;
    syscall(SYS_clock_gettime, clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t by_vdso(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void verify(void)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
                                       CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE};
    for (size_t i = 0; i < COUNT_OF(clocks); i++)
        for (int n = 0; n < 1000; n++) {
            int64_t a = by_vdso(clocks[i]), b = by_syscall(clocks[i]), c = by_vdso(clocks[i]);
            guest_check(a <= b && b <= c && c - a < 1000000000,
                        "clock %d: vdso %ld, kernel %ld, vdso %ld", clocks[i], (long)a, (long)b,
                        (long)c);
        }
    int64_t now = by_vdso(CLOCK_MONOTONIC);
    guest_check(now > last, "the monotonic clock went back from %ld to %ld", (long)last, (long)now);
    last = now;
    unsigned cpu;
    guest_check(getcpu(&cpu, NULL) == 0 && cpu < 4096, "getcpu fails");
    struct timeval v;
    guest_check(gettimeofday(&v, NULL) == 0 && v.tv_sec > 1700000000, "gettimeofday fails");
    guest_check(time(NULL) - v.tv_sec <= 1, "time fails");
    unsigned char *elf = (unsigned char *)getauxval(AT_SYSINFO_EHDR);
    guest_check(elf && memcmp(elf, "\177ELF", 4) == 0, "the vdso is not where it was");
}

int main(void)
{
    last = by_vdso(CLOCK_MONOTONIC);
    guest_serve(verify);
}
