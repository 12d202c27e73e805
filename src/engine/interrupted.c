#include "engine/interrupted.h"

#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/cleanup.h"
#include "engine/puppet.h"

#define CLOCKS_MAX   16
#define POLLED_MAX   (1u << 20)
#define POINTERS_MIN 65536

static bool is_time_at(pid_t pid, uint64_t at)
{
    struct timespec t;
    return at >= POINTERS_MIN && remote_read(pid, at, &t, sizeof(t)) == 0 && t.tv_sec >= 0 &&
           t.tv_nsec >= 0 && t.tv_nsec < 1000000000;
}

static bool is_clock_nanosleep(pid_t pid, const uint64_t a[4])
{
    return a[0] < CLOCKS_MAX && a[1] == 0 && is_time_at(pid, a[2]);
}

static bool is_nanosleep(pid_t pid, const uint64_t a[4])
{
    return is_time_at(pid, a[0]) && (a[1] == 0 || a[1] >= POINTERS_MIN);
}

static bool is_futex(pid_t pid, const uint64_t a[4])
{
    uint32_t word, command = (uint32_t)a[1] & FUTEX_CMD_MASK;
    return a[0] % sizeof(word) == 0 && a[1] < 1024 && a[1] != 0 &&
           (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET) && is_time_at(pid, a[3]) &&
           remote_read(pid, a[0], &word, sizeof(word)) == 0;
}

static bool is_poll(pid_t pid, const uint64_t a[4])
{
    char first;
    return a[1] <= POLLED_MAX && (a[1] == 0 || remote_read(pid, a[0], &first, sizeof(first)) == 0);
}

/* Only these are continued by restart_syscall(2). The first that fits. */
static const struct {
    long number;
    bool (*fits)(pid_t pid, const uint64_t arguments[4]);
} continued[] = {
    {SYS_clock_nanosleep, is_clock_nanosleep},
    {SYS_futex, is_futex},
    {SYS_nanosleep, is_nanosleep},
#ifdef SYS_poll
    {SYS_poll, is_poll},
#endif
};

long interrupted_call(pid_t pid, const struct registers *regs)
{
    uint64_t arguments[4];
    if (registers_syscall(regs) != SYS_restart_syscall)
        return registers_syscall(regs);
    for (int i = 0; i < 4; i++)
        arguments[i] = registers_syscall_arg(regs, i);
    for (size_t i = 0; i < ARRAY_LEN(continued); i++)
        if (continued[i].fits(pid, arguments))
            return continued[i].number;
    return SYS_restart_syscall;
}
