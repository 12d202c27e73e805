/* signalfd(2): its signals, its flags, and signals that wait to be read from it. */
#include <poll.h>
#include <sys/signalfd.h>

#include "guest.h"

static int fd, never;

static void verify(void)
{
    struct signalfd_siginfo info[2] = {0};
    struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = never, .events = POLLIN}};
    guest_check(poll(p, 2, 0) == 1 && p[0].revents == POLLIN, "the wrong signalfd is ready");
    guest_check(read(fd, info, sizeof(info)) == sizeof(info), "the two signals are not there");
    guest_check(info[0].ssi_signo == SIGUSR2 && info[0].ssi_int == 4711 &&
                    info[1].ssi_signo == (uint32_t)SIGRTMIN + 3 && info[1].ssi_int == 42,
                "the signals changed");
    guest_check(read(fd, info, sizeof(info)) < 0 && errno == EAGAIN, "there are more signals");
    guest_check(!(fcntl(never, F_GETFL) & O_NONBLOCK), "a blocking signalfd does not block now");
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 4711});
    sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 42});
}

int main(void)
{
    sigset_t set, other;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigemptyset(&other);
    sigaddset(&other, SIGHUP);
    fd = signalfd(-1, &set, SFD_NONBLOCK);
    never = signalfd(-1, &other, SFD_CLOEXEC);
    guest_need(fd >= 0 && never >= 0, "a signalfd");
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 4711});
    sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 42});
    guest_serve(verify);
}
