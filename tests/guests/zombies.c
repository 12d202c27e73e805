/* Children that died and were not waited for yet: their exit codes and signals are still there. */
#include "guest.h"

static pid_t exited, killed;

static void make(void)
{
    exited = fork();
    if (exited == 0)
        _exit(42);
    killed = fork();
    if (killed == 0) {
        signal(SIGTERM, SIG_DFL);
        for (;;)
            pause();
    }
    kill(killed, SIGTERM);
    siginfo_t info;
    waitid(P_PID, (id_t)exited, &info, WEXITED | WNOWAIT);
    waitid(P_PID, (id_t)killed, &info, WEXITED | WNOWAIT);
}

/* A child that has a zombie of its own. */
static struct guest_child child;

static void verify_own(void)
{
    int status = 0;
    if (!exited) {
        make();
        return;
    }
    guest_check(waitpid(exited, &status, WNOHANG) == exited, "zombie %d is gone", exited);
    guest_check(WIFEXITED(status) && WEXITSTATUS(status) == 42, "the exit status is %x", status);
    guest_check(waitpid(killed, &status, WNOHANG) == killed, "zombie %d is gone", killed);
    guest_check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "the exit status is %x",
                status);
    make();
}

static void verify(void)
{
    verify_own();
    guest_ask(&child);
}

int main(void)
{
    child = guest_fork(verify_own);
    make();
    guest_ask(&child); /* the first question makes its zombies */
    guest_serve(verify);
}
