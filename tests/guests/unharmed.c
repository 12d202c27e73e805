/* A program that watches itself without pause, while it is checkpointed and goes on, and while
 * checkpoints of it are refused: nothing it can see of itself may change. Asked by SIGUSR1 it tells
 * what it has seen; SIGUSR2 brings it into a state that no checkpoint can keep. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "guest.h"

#define TEXT 65536

static volatile unsigned looks, ticks, naps, traps, counted, signals_sent;
static int pipe_ends[2];

/* ---- what can be seen ---- */

struct sight {
    char maps[TEXT], status[TEXT], descriptors[4096], limits[4096];
    struct sigaction actions[64];
    sigset_t mask;
    uint64_t vdso; /* a sum of its code */
};

static void read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    for (ssize_t n; fd >= 0 && got < size - 1 && (n = read(fd, text + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    text[got] = 0;
    close(fd);
}

/* The lines of the thread's status that it does not change all the time itself; and not TracerPid:
 * that is seen in the microseconds between an attach and its interrupt. */
static void read_status(char *text)
{
    static const char *const stable[] = {
        "Umask:",  "Tgid:",   "PPid:",   "Uid:",        "Gid:",         "FDSize:", "Threads:",
        "SigPnd:", "SigBlk:", "SigIgn:", "SigCgt:",     "CapInh:",      "CapPrm:", "CapEff:",
        "CapBnd:", "CapAmb:", "Seccomp", "NoNewPrivs:", "Cpus_allowed:"};
    static char all[TEXT];
    read_file("/proc/thread-self/status", all, sizeof(all));
    *text = 0;
    for (char *save = NULL, *line = strtok_r(all, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save))
        for (size_t i = 0; i < COUNT_OF(stable); i++)
            if (strncmp(line, stable[i], strlen(stable[i])) == 0)
                strcat(strcat(text, line), "\n");
}

static void read_descriptors(char *text, size_t size)
{
    size_t used = 0;
    for (int fd = 0; fd < 64; fd++) {
        char path[32], link[256] = "";
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (readlink(path, link, sizeof(link) - 1) > 0)
            used += (size_t)snprintf(text + used, size - used, "%d %s %x\n", fd, link,
                                     (unsigned)fcntl(fd, F_GETFD));
    }
}

static uint64_t sum_vdso(void)
{
    const uint64_t *words = (const uint64_t *)getauxval(AT_SYSINFO_EHDR);
    uint64_t sum = 0;
    for (size_t i = 0; words && i < 2 * PAGE / 8; i++)
        sum = sum * 31 + words[i];
    return sum;
}

static void see(struct sight *s)
{
    memset(s, 0, sizeof(*s));
    read_file("/proc/self/maps", s->maps, sizeof(s->maps));
    read_status(s->status);
    read_descriptors(s->descriptors, sizeof(s->descriptors));
    read_file("/proc/self/limits", s->limits, sizeof(s->limits));
    for (int i = 1; i < 64; i++)
        sigaction(i, NULL, &s->actions[i]);
    pthread_sigmask(SIG_BLOCK, NULL, &s->mask);
    s->vdso = sum_vdso();
}

/* The first line that differs, for the reason. */
static void compare_text(const char *what, const char *before, const char *now)
{
    size_t line = 0, i = 0;
    for (; before[i] && before[i] == now[i]; i++)
        if (before[i] == '\n')
            line = i + 1;
    if (before[i] != now[i])
        guest_fail("%s: %.60s was %.60s", what, now + line, before + line);
}

static void compare(const struct sight *a, const struct sight *b)
{
    compare_text("maps", a->maps, b->maps);
    compare_text("status", a->status, b->status);
    compare_text("descriptors", a->descriptors, b->descriptors);
    compare_text("limits", a->limits, b->limits);
    for (int i = 1; i < 64; i++)
        guest_check(a->actions[i].sa_handler == b->actions[i].sa_handler &&
                        a->actions[i].sa_flags == b->actions[i].sa_flags &&
                        memcmp(&a->actions[i].sa_mask, &b->actions[i].sa_mask, 8) == 0,
                    "the action of signal %d", i);
    guest_check(memcmp(&a->mask, &b->mask, 8) == 0, "the signal mask");
    guest_check(a->vdso == b->vdso, "the code of the vdso");
}

static void check_rest(void)
{
    int status;
    guest_check(waitpid(-1, &status, WNOHANG | __WALL) < 0 && errno == ECHILD, "there is a child");
    if (__rseq_size) {
        struct rseq *area = (void *)((char *)__builtin_thread_pointer() + __rseq_offset);
        guest_check(area->cpu_id < 65536, "rseq: cpu %d", (int)area->cpu_id);
    }
    guest_check(traps == 0, "SIGTRAP came");
    sigset_t pending;
    sigpending(&pending);
    for (int i = 1; i < 64; i++)
        guest_check(i == SIGUSR1 || i == SIGUSR2 || i == SIGALRM || !sigismember(&pending, i),
                    "signal %d waits", i);
}

static struct sight first, now;

static void *watch(void *context)
{
    see(&first);
    for (;;) {
        see(&now);
        compare(&first, &now);
        check_rest();
        looks++;
        guest_sleep(MILLISECOND / 2);
    }
    return NULL;
}

/* ---- threads that are interrupted ---- */

/* Registers, red zone and floating point state of a thread that never enters the kernel. */
static void *count(void *context)
{
    for (double x = 1;; counted++) {
        unsigned long sum = 0;
        double y = x;
        for (unsigned long i = 0; i < 100000; i++) {
            sum += i;
            y = y * 2 / 2;
        }
        guest_check(sum == 4999950000ul && y == x, "the sum is %lu, %f", sum, y);
        x = x < 1e6 ? x + 0.5 : 1;
    }
    return NULL;
}

static void *nap(void *context)
{
    for (;; naps++) {
        struct timespec t = {0, 20 * MILLISECOND}, rest = {0};
        int64_t before = guest_now();
        int r = nanosleep(&t, &rest);
        guest_check(r == 0 && guest_now() - before >= 20 * MILLISECOND, "a nap: %d after %ld us", r,
                    (long)((guest_now() - before) / 1000));
    }
    return NULL;
}

/* Bytes come one by one, and none gets lost; no wait fails. */
static void *receive(void *context)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &e);
    for (unsigned char wanted = 0, got;; wanted++) {
        struct pollfd p = {.fd = pipe_ends[0], .events = POLLIN};
        int n = wanted % 3 == 0   ? epoll_wait(epoll, &e, 1, -1)
                : wanted % 3 == 1 ? poll(&p, 1, -1)
                                  : 1;
        guest_check(n == 1, "a wait: %s", strerror(errno));
        guest_check(read(pipe_ends[0], &got, 1) == 1 && got == wanted, "byte %d is %d", wanted,
                    got);
    }
    return NULL;
}

static void *send_bytes(void *context)
{
    for (unsigned char c = 0;; c++) {
        guest_check(write(pipe_ends[1], &c, 1) == 1, "write: %s", strerror(errno));
        guest_sleep(3 * MILLISECOND);
    }
    return NULL;
}

/* Queued signals with numbers, taken in order. */
static void *take_signals(void *context)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    for (int wanted = 0;; wanted++) {
        siginfo_t info;
        guest_check(sigwaitinfo(&set, &info) == SIGRTMIN + 1, "sigwaitinfo: %s", strerror(errno));
        guest_check(info.si_value.sival_int == wanted, "signal %d is %d", wanted,
                    info.si_value.sival_int);
    }
    return NULL;
}

static void *send_signals(void *context)
{
    pthread_t to = *(pthread_t *)context;
    for (int i = 0;; i++, signals_sent++) {
        guest_check(pthread_sigqueue(to, SIGRTMIN + 1, (union sigval){.sival_int = i}) == 0,
                    "sigqueue");
        guest_sleep(3 * MILLISECOND);
    }
    return NULL;
}

/* ---- */

static void on_tick(int signal)
{
    ticks++;
}

static void on_trap(int signal)
{
    traps++;
}

static void verify(void)
{
    unsigned before[] = {looks, ticks, naps, counted, signals_sent};
    volatile unsigned *const all[] = {&looks, &ticks, &naps, &counted, &signals_sent};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        guest_check(guest_grows((unsigned *)all[i], before[i]), "counter %zu stands still", i);
}

/* At SIGUSR2 it leaves the others' descriptors. */
static void *leave(void *context)
{
    sigset_t set;
    int signal;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigwait(&set, &signal);
    guest_say(unshare(CLONE_FILES) == 0 ? "refusable\n" : "FAIL: unshare\n");
    for (;;)
        pause();
    return NULL;
}

int main(void)
{
    static void *(*const roles[])(void *) = {take_signals, send_signals, count, nap,
                                             receive,      send_bytes,   leave, watch};
    static pthread_t threads[COUNT_OF(roles)];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* In the first thread alone: a handler would end naps and waits. */
    struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct sigaction trap = {.sa_handler = on_trap, .sa_flags = SA_RESTART | SA_NODEFER};
    sigaction(SIGALRM, &tick, NULL);
    sigaction(SIGTRAP, &trap, NULL);
    guest_need(pipe(pipe_ends) == 0, "a pipe");
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        guest_need(pthread_create(&threads[i], NULL, roles[i], threads) == 0, "a thread");
        if (i == 4)
            guest_sleep(50 * MILLISECOND); /* its epoll instance */
    }
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    struct itimerval every = {{0, 10000}, {0, 10000}};
    setitimer(ITIMER_REAL, &every, NULL);
    while (looks < 10)
        guest_sleep(MILLISECOND);
    guest_serve(verify);
}
