/* The frame of a guest: a program that builds one kind of kernel state, says "ready", and for every
 * SIGUSR1 looks whether that state is still there and says "ok N" or "FAIL N: reason". Tests
 * checkpoint and restore it in between. Guests are static, so that they run in any image.
 *
 *     static void verify(void)
 *     {
 *         guest_check(umask(027) == 027, "the umask changed");
 *     }
 *
 *     int main(void)
 *     {
 *         umask(027);
 *         guest_serve(verify);
 *     }
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE        4096
#define MILLISECOND 1000000LL
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static char guest_reason[256];
static int guest_reasons; /* how many checks failed since the last answer */

/* SIGUSR1 asks; every thread and child has it blocked from the start. */
__attribute__((constructor)) static void guest_block_requests(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

__attribute__((format(printf, 1, 2), unused)) static void guest_fail(const char *format, ...)
{
    if (__atomic_fetch_add(&guest_reasons, 1, __ATOMIC_SEQ_CST) > 0)
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(guest_reason, sizeof(guest_reason), format, ap);
    va_end(ap);
}

#define guest_check(condition, ...)                                                                \
    do {                                                                                           \
        if (!(condition))                                                                          \
            guest_fail(__VA_ARGS__);                                                               \
    } while (0)

/* For the preparation: without it the guest is no test at all. */
#define guest_need(condition, what)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("FAIL 0: cannot prepare %s: %s\n", (what), strerror(errno));                    \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

__attribute__((unused)) static void guest_say(const char *format, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    if (write(1, line, (size_t)n) != n)
        _exit(1);
}

__attribute__((unused)) static void guest_wait_request(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    while (sigwaitinfo(&set, NULL) != SIGUSR1)
        ;
}

__attribute__((unused, noreturn)) static void guest_serve(void (*verify)(void))
{
    guest_say("ready\n");
    for (int n = 1;; n++) {
        guest_wait_request();
        verify();
        if (guest_reasons)
            guest_say("FAIL %d: %s\n", n, guest_reason);
        else
            guest_say("ok %d\n", n);
        guest_reasons = 0; /* what fails from now on is told by the next answer */
    }
}

__attribute__((unused)) static int64_t guest_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

__attribute__((unused)) static void guest_sleep(int64_t ns)
{
    struct timespec t = {ns / 1000000000LL, ns % 1000000000LL};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* Waits until *counter grows beyond `than`; false after 10 s. */
__attribute__((unused)) static bool guest_grows(const unsigned *counter, unsigned than)
{
    for (int i = 0; i < 1000; i++) {
        if (__atomic_load_n(counter, __ATOMIC_SEQ_CST) > than)
            return true;
        guest_sleep(10 * MILLISECOND);
    }
    return false;
}

/* A child that answers: `answer` runs in it at each question; its text comes back, empty if all
 * is well. */
struct guest_child {
    pid_t pid;
    int ask, answer;
};

__attribute__((unused)) static struct guest_child guest_fork(void (*verify)(void))
{
    int to[2], from[2];
    guest_need(pipe(to) == 0 && pipe(from) == 0, "pipes");
    pid_t pid = fork();
    guest_need(pid >= 0, "a child");
    if (pid > 0) {
        close(to[0]);
        close(from[1]);
        return (struct guest_child){pid, to[1], from[0]};
    }
    close(to[1]);
    close(from[0]);
    for (char c; read(to[0], &c, 1) == 1;) {
        guest_reasons = 0;
        memset(guest_reason, 0, sizeof(guest_reason));
        verify();
        if (write(from[1], guest_reason, sizeof(guest_reason)) != sizeof(guest_reason))
            break;
    }
    _exit(0);
}

__attribute__((unused)) static void guest_ask(const struct guest_child *child)
{
    char text[sizeof(guest_reason)];
    if (write(child->ask, "?", 1) != 1 || read(child->answer, text, sizeof(text)) != sizeof(text))
        guest_fail("the child does not answer");
    else if (text[0])
        guest_fail("in the child: %.200s", text);
}

/* A pattern that differs from page to page and from word to word. */
static inline uint64_t guest_pattern(uint64_t seed, uint64_t index)
{
    uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15ULL + index * 0xbf58476d1ce4e5b9ULL;
    return x ^ (x >> 29);
}

__attribute__((unused)) static void guest_fill(void *memory, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size / 8; i++)
        ((uint64_t *)memory)[i] = guest_pattern(seed, i);
}

__attribute__((unused)) static bool guest_filled(const void *memory, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size / 8; i++)
        if (((const uint64_t *)memory)[i] != guest_pattern(seed, i))
            return false;
    return true;
}
