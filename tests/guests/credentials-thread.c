/* Credentials are per thread: one that changed its user alone keeps that alone. */
#include <pthread.h>

#include "guest.h"

static unsigned asked, answered;
static uid_t seen[3];

static void *other(void *unused)
{
    /* the raw call: glibc's would change all threads */
    guest_need(syscall(SYS_setresuid, -1, 4321, -1) == 0, "the thread's user");
    for (unsigned done = 0;; done++) {
        __atomic_store_n(&answered, done + 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n(&asked, __ATOMIC_SEQ_CST) <= done)
            guest_sleep(5 * MILLISECOND);
        getresuid(&seen[0], &seen[1], &seen[2]);
    }
    return unused;
}

static void verify(void)
{
    unsigned before = answered;
    __atomic_fetch_add(&asked, 1, __ATOMIC_SEQ_CST);
    guest_check(guest_grows(&answered, before), "the thread does not answer");
    guest_check(seen[0] == 0 && seen[1] == 4321 && seen[2] == 0, "the thread is user %d/%d/%d",
                (int)seen[0], (int)seen[1], (int)seen[2]);
    guest_check(geteuid() == 0, "the main thread is user %d", (int)geteuid());
}

int main(void)
{
    pthread_t t;
    guest_need(pthread_create(&t, NULL, other, NULL) == 0, "a thread");
    guest_need(guest_grows(&answered, 0), "the thread");
    guest_serve(verify);
}
