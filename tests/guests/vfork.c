/* A thread in vfork: the kernel lets nobody stop it before its child has called exec or has ended,
 * which takes a moment here, or a minute if an argument says so. */
#include <pthread.h>

#include "guest.h"

static pthread_t thread;
static bool waits;
static int seconds;

/* The child has its parent's memory. */
static void *wait_for_child(void *context)
{
    struct timespec pause = {seconds, seconds ? 0 : 200 * MILLISECOND};
    pid_t child = vfork();
    if (child == 0) {
        syscall(SYS_nanosleep, &pause, NULL);
        _exit(5);
    }
    int status = -1;
    bool well = waitpid(child, &status, 0) == child && WIFEXITED(status);
    return (void *)(intptr_t)(well ? WEXITSTATUS(status) : -1);
}

/* One vfork after the other: whenever the checkpoint comes, it comes in between. */
static unsigned stormed, lost;

static void *storm(void *context)
{
    for (;; stormed++) {
        int status = -1;
        pid_t child = vfork();
        if (child == 0)
            _exit(7);
        if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 7)
            lost++;
    }
    return NULL;
}

static void verify(void)
{
    void *result = NULL;
    if (seconds)
        return;
    guest_check(guest_grows(&stormed, stormed), "no vfork any more");
    guest_check(lost == 0, "%u children were lost", lost);
    if (waits) {
        guest_check(pthread_join(thread, &result) == 0 && (intptr_t)result == 5,
                    "the child ended with %d", (int)(intptr_t)result);
    }
    waits = pthread_create(&thread, NULL, wait_for_child, NULL) == 0;
    guest_check(waits, "no thread");
    guest_sleep(20 * MILLISECOND);
}

int main(int argc, char **argv)
{
    seconds = argc > 1 ? atoi(argv[1]) : 0;
    if (seconds) {
        guest_need(pthread_create(&thread, NULL, wait_for_child, NULL) == 0, "a thread");
        guest_sleep(20 * MILLISECOND);
    }
    pthread_t second;
    guest_need(seconds || pthread_create(&second, NULL, storm, NULL) == 0, "a second thread");
    guest_serve(verify);
}
