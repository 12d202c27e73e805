/* A child stopped by SIGSTOP stays stopped, and goes on at SIGCONT. */
#include "guest.h"

static unsigned *ticks;
static pid_t child;

static char state(void)
{
    char path[64], text[512] = "", c = '?';
    snprintf(path, sizeof(path), "/proc/%d/stat", child);
    int fd = open(path, O_RDONLY);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
        sscanf(strrchr(text, ')') + 1, " %c", &c);
    close(fd);
    return c;
}

static void stop(void)
{
    int status;
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
}

static void verify(void)
{
    guest_check(state() == 'T', "the stopped child has state %c", state());
    unsigned before = *ticks;
    guest_sleep(50 * MILLISECOND);
    guest_check(*ticks == before, "the stopped child runs");
    kill(child, SIGCONT);
    guest_check(guest_grows(ticks, before + 3), "the child does not go on");
    int status = 0;
    guest_check(waitpid(child, &status, WCONTINUED | WNOHANG) == child && WIFCONTINUED(status),
                "the parent is not told that the child goes on");
    stop();
}

int main(void)
{
    ticks = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    guest_need(ticks != MAP_FAILED, "shared memory");
    child = fork();
    while (child == 0) {
        guest_sleep(5 * MILLISECOND);
        __atomic_fetch_add(ticks, 1, __ATOMIC_SEQ_CST);
    }
    guest_need(guest_grows(ticks, 2), "the child");
    stop();
    guest_serve(verify);
}
