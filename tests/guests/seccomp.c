/* Seccomp filters of the program's own, two on top of each other, the second for all threads at
 * once (TSYNC), in a child too; and one of a single thread. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "guest.h"

static struct guest_child child;
static unsigned asked, answered, go;
static int thread_errno;

/* System call `nr` fails with errno `code`. */
static void forbid(unsigned nr, unsigned code, unsigned flags)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | code),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT_OF(filter), filter};
    guest_need(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0, "a filter");
}

static int errno_of(long nr)
{
    errno = 0;
    syscall(nr, -1, -1, -1);
    return errno;
}

static void verify_own(void)
{
    guest_check(errno_of(SYS_sethostname) == 77, "the first filter gives %d",
                errno_of(SYS_sethostname));
    guest_check(errno_of(SYS_setdomainname) == 78, "the second filter gives %d",
                errno_of(SYS_setdomainname));
    guest_check(prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER, "seccomp is off");
}

static void *other(void *unused)
{
    while (!__atomic_load_n(&go, __ATOMIC_SEQ_CST))
        guest_sleep(MILLISECOND);
    forbid(SYS_acct, 79, 0); /* this thread's alone */
    for (unsigned done = 0;; done++) {
        __atomic_store_n(&answered, done + 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&asked, __ATOMIC_SEQ_CST) <= done)
            guest_sleep(5 * MILLISECOND);
        thread_errno = errno_of(SYS_acct);
        verify_own();
    }
    return unused;
}

static void verify(void)
{
    unsigned before = answered;
    verify_own();
    __atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
    guest_check(guest_grows(&answered, before), "the thread does not answer");
    guest_check(thread_errno == 79, "the thread's filter gives %d", thread_errno);
    guest_check(errno_of(SYS_acct) != 79, "the thread's filter is now everybody's");
    guest_ask(&child);
}

int main(void)
{
    pthread_t t;
    guest_need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    forbid(SYS_sethostname, 77, 0);
    guest_need(pthread_create(&t, NULL, other, NULL) == 0, "a thread");
    forbid(SYS_setdomainname, 78, SECCOMP_FILTER_FLAG_TSYNC);
    child = guest_fork(verify_own);
    __atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
    guest_need(guest_grows(&answered, 0), "the thread");
    guest_serve(verify);
}
