/* Signals: actions, masks, alternate stacks, and what is pending, with its values, in its order. */
#include <pthread.h>
#include <ucontext.h>

#include "guest.h"

#define QUEUED 6

static char alternate[65536];
static pthread_t thread;
static pid_t thread_id;
static volatile bool on_alternate;
static sigset_t mask;

static void handler(int sig, siginfo_t *info, void *context)
{
    char here;
    on_alternate = &here >= alternate && &here < alternate + sizeof(alternate);
    if (sig != SIGUSR2)
        guest_fail("the handler got signal %d", sig);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    guest_check(sigismember(&now, SIGWINCH), "the mask of the action is lost");
}

static void *sleeper(void *unused)
{
    thread_id = gettid();
    for (;;)
        pause();
    return unused;
}

static void queue_all(void)
{
    for (int i = 0; i < QUEUED; i++)
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 100 + i});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_ptr = (void *)0x123456789abcULL});
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGTERM);              /* a standard signal is pending once */
    pthread_kill(pthread_self(), SIGHUP); /* for this thread alone */
    syscall(SYS_tgkill, getpid(), thread_id, SIGRTMIN + 5);
}

static bool take(int sig, siginfo_t *info)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    struct timespec at_once = {0};
    /* the raw call: glibc's makes one si_code of two */
    return syscall(SYS_rt_sigtimedwait, &set, info, &at_once, 8) == sig;
}

static void verify_pending(void)
{
    siginfo_t info;
    for (int i = 0; i < QUEUED; i++) {
        guest_check(take(SIGRTMIN + 1, &info), "queued signal %d of %d is lost", i, QUEUED);
        guest_check(info.si_value.sival_int == 100 + i && info.si_code == SI_QUEUE &&
                        info.si_pid == getpid(),
                    "queued signal %d has value %d", i, info.si_value.sival_int);
    }
    guest_check(!take(SIGRTMIN + 1, &info), "a queued signal comes twice");
    guest_check(take(SIGRTMIN, &info) && info.si_value.sival_ptr == (void *)0x123456789abcULL,
                "the value of a queued signal changed");
    guest_check(take(SIGTERM, &info) && info.si_code == SI_USER, "SIGTERM is not pending");
    guest_check(!take(SIGTERM, &info), "SIGTERM comes twice");
    guest_check(take(SIGHUP, &info) && info.si_code == SI_TKILL, "the thread's SIGHUP is lost");
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/self/task/%d/status", thread_id);
    unsigned long long pending = 0;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        sscanf(line, "SigPnd: %llx", &pending);
    if (f)
        fclose(f);
    guest_check(pending == 1ULL << (SIGRTMIN + 5 - 1),
                "the other thread's pending signals are %llx", pending);
}

static void verify_actions(void)
{
    struct sigaction a;
    sigaction(SIGUSR2, NULL, &a);
    guest_check(a.sa_sigaction == handler && sigismember(&a.sa_mask, SIGWINCH) &&
                    (a.sa_flags & (SA_ONSTACK | SA_SIGINFO | SA_RESTART | SA_NODEFER)) ==
                        (SA_ONSTACK | SA_SIGINFO | SA_RESTART | SA_NODEFER),
                "the action of SIGUSR2 changed");
    sigaction(SIGINT, NULL, &a);
    guest_check(a.sa_handler == SIG_IGN, "SIGINT is not ignored any more");
    sigaction(SIGTRAP, NULL, &a);
    guest_check(a.sa_handler == SIG_IGN, "SIGTRAP is not ignored any more");
    sigaction(SIGQUIT, NULL, &a);
    guest_check(a.sa_handler == SIG_DFL, "SIGQUIT has a handler");
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    guest_check(memcmp(&now, &mask, 8) == 0, "the mask of signals changed");
}

static void verify(void)
{
    stack_t stack;
    verify_actions();
    verify_pending();
    sigaltstack(NULL, &stack);
    guest_check(stack.ss_sp == alternate && stack.ss_size == sizeof(alternate) &&
                    stack.ss_flags == 0,
                "the alternate stack is lost");
    on_alternate = false;
    kill(getpid(), SIGUSR2);
    guest_check(on_alternate, "the handler did not run on the alternate stack");
    queue_all();
}

int main(void)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    guest_need(sigaltstack(&stack, NULL) == 0, "the alternate stack");
    struct sigaction a = {.sa_sigaction = handler,
                          .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER};
    sigaddset(&a.sa_mask, SIGWINCH);
    sigaction(SIGUSR2, &a, NULL);
    signal(SIGINT, SIG_IGN);
    signal(SIGTRAP, SIG_IGN);
    sigemptyset(&mask);
    static const int blocked[] = {SIGTERM, SIGHUP, SIGTRAP, SIGUSR1};
    for (size_t i = 0; i < COUNT_OF(blocked); i++)
        sigaddset(&mask, blocked[i]);
    for (int i = SIGRTMIN; i <= SIGRTMIN + 6; i++)
        sigaddset(&mask, i);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    guest_need(pthread_create(&thread, NULL, sleeper, NULL) == 0, "a thread");
    while (!__atomic_load_n(&thread_id, __ATOMIC_SEQ_CST))
        guest_sleep(MILLISECOND);
    guest_sleep(50 * MILLISECOND);
    queue_all();
    guest_serve(verify);
}
