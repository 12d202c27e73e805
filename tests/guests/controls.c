/* What threads have chosen by prctl(2) about rdtsc, speculation and memory errors; each thread for
 * itself. And whose personality, membarrier registrations, OOM score and exit signals are kept. */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include "guest.h"

#define GET_REGISTRATIONS (1 << 9)

static int pipes[2][2];
static long speculation; /* -1: this processor leaves no choice */

static int tsc(void)
{
    int mode = 0;
    return prctl(PR_GET_TSC, &mode) == 0 ? mode : -1;
}

static long store_bypass(void)
{
    return prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
}

/* No call of the C library that may read the time stamp counter. */
static void *other(void *context)
{
    char ready = prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0 &&
                         prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0) == 0
                     ? '+'
                     : '-';
    speculation = prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0) == 0
                      ? store_bypass()
                      : -1;
    if (write(pipes[1][1], &ready, 1) != 1)
        return NULL;
    for (char c; read(pipes[0][0], &c, 1) == 1;) {
        guest_check(tsc() == PR_TSC_SIGSEGV, "rdtsc: %d in the thread", tsc());
        guest_check(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY, "memory errors: %d",
                    prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
        guest_check(speculation < 0 || store_bypass() == speculation, "speculation: %ld was %ld",
                    store_bypass(), speculation);
        if (write(pipes[1][1], "+", 1) != 1)
            break;
    }
    return NULL;
}

static void check_score(void)
{
    char text[16] = "";
    int fd = open("/proc/self/oom_score_adj", O_RDONLY);
    guest_check(read(fd, text, sizeof(text) - 1) > 0 && atoi(text) == 321, "the OOM score is %s",
                text);
    close(fd);
}

static void verify(void)
{
    char answer = '?';
    guest_check(tsc() == PR_TSC_ENABLE, "rdtsc: %d", tsc());
    guest_check(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT, "memory errors");
    guest_check(write(pipes[0][1], "?", 1) == 1 && read(pipes[1][0], &answer, 1) == 1 &&
                    answer == '+',
                "the thread does not answer");
    guest_check(personality(0xffffffff) == UNAME26, "the personality is %x",
                personality(0xffffffff));
    long barriers = syscall(SYS_membarrier, GET_REGISTRATIONS, 0, 0);
    guest_check(barriers < 0 || barriers & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
                "the membarrier registrations are %lx", barriers);
    guest_check(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0,
                "membarrier: %s", strerror(errno));
    check_score();
}

int main(void)
{
    pthread_t thread;
    char answer = '?';
    guest_need(pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0, "pipes");
    guest_need(personality(UNAME26) >= 0, "the personality");
    guest_need(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0,
               "a membarrier registration");
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    guest_need(write(fd, "321", 3) == 3 && close(fd) == 0, "the OOM score");
    guest_need(pthread_create(&thread, NULL, other, NULL) == 0, "a thread");
    guest_need(read(pipes[1][0], &answer, 1) == 1 && answer == '+', "what the thread chooses");
    guest_serve(verify);
}
