/* A robust mutex whose holder dies after the restore: the next one is told so. */
#include <pthread.h>

#include "guest.h"

struct shared {
    pthread_mutex_t lock;
    unsigned held;
};

static struct shared *shared;
static pid_t holder;

static void start_holder(void)
{
    shared->held = 0;
    holder = fork();
    guest_need(holder >= 0, "a child");
    if (holder == 0) {
        pthread_mutex_lock(&shared->lock);
        __atomic_store_n(&shared->held, 1, __ATOMIC_SEQ_CST);
        for (;;)
            pause();
    }
    guest_need(guest_grows(&shared->held, 0), "the held lock");
}

static void verify(void)
{
    guest_check(pthread_mutex_trylock(&shared->lock) == EBUSY, "nobody holds the lock");
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 5;
    int r = pthread_mutex_timedlock(&shared->lock, &end);
    guest_check(r == EOWNERDEAD, "locking after the holder's death gives: %s", strerror(r));
    if (r == EOWNERDEAD) {
        pthread_mutex_consistent(&shared->lock);
        pthread_mutex_unlock(&shared->lock);
    }
    start_holder();
}

int main(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    guest_need(shared != MAP_FAILED, "shared memory");
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->lock, &a);
    start_holder();
    guest_serve(verify);
}
