/* pidfd_open(2): of this process, a thread, a child, a zombie, and of children that are gone. */
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "guest.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define PIDFD_THREAD O_EXCL

struct info {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};
#define GET_INFO  _IOWR(0xff, 11, struct info)
#define INFO_EXIT (1ull << 3)

static int self, of_thread, of_child, of_zombie, gone, gone_too, killed;
static pid_t child, zombie, thread_id;
static bool tells_exit; /* the kernel can tell how a process ended that is gone */

static int open_pid(pid_t pid, unsigned flags)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, flags);
    guest_need(fd >= 0, "a pidfd");
    return fd;
}

static pid_t fork_one(int exit_code)
{
    pid_t pid = fork();
    guest_need(pid >= 0, "a child");
    if (pid == 0 && exit_code >= 0)
        _exit(exit_code);
    while (pid == 0)
        pause();
    return pid;
}

static void *thread(void *ready)
{
    thread_id = (pid_t)syscall(SYS_gettid);
    if (write(*(int *)ready, "x", 1) != 1)
        return NULL;
    for (;;)
        pause();
}

static bool ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

static int send_signal(int fd, int signal)
{
    return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0 ? 0 : -errno;
}

/* Pid of the fdinfo. */
static long pid_of(int fd)
{
    char path[64], text[1024] = "";
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    int f = open(path, O_RDONLY);
    guest_check(f >= 0 && read(f, text, sizeof(text) - 1) > 0, "cannot read %s", path);
    close(f);
    const char *line = strstr(text, "\nPid:");
    return line ? strtol(line + 5, NULL, 10) : 0;
}

static int exit_code(int fd)
{
    struct info i = {.mask = INFO_EXIT};
    return ioctl(fd, GET_INFO, &i) == 0 && i.mask & INFO_EXIT ? i.exit_code : -1;
}

static void verify_dead(void)
{
    struct stat a, b, c;
    guest_check(pid_of(gone) == -1 && ready(gone) && send_signal(gone, 0) == -ESRCH,
                "the dead child is not dead");
    siginfo_t info = {0};
    guest_check(waitid(P_PIDFD, (id_t)gone, &info, WEXITED | WNOHANG) < 0,
                "the dead child can be waited for");
    guest_check(fstat(gone, &a) == 0 && fstat(gone_too, &b) == 0 && fstat(killed, &c) == 0 &&
                    a.st_ino == b.st_ino,
                "two pidfds are of one process no more");
    guest_check(!tells_exit || c.st_ino != a.st_ino, "two dead processes are one");
    guest_check(fcntl(gone_too, F_GETFL) & O_NONBLOCK && !(fcntl(gone, F_GETFL) & O_NONBLOCK),
                "the flags changed");
    guest_check(!tells_exit || (exit_code(gone) == 5 << 8 && exit_code(gone_too) == 5 << 8),
                "the exit code is %#x", exit_code(gone));
    guest_check(!tells_exit || exit_code(killed) == SIGTERM, "the signal is %#x",
                exit_code(killed));
}

static void verify(void)
{
    guest_check(pid_of(self) == getpid() && !ready(self), "the own pidfd changed");
    guest_check(pid_of(of_thread) == thread_id && !ready(of_thread), "the thread's pidfd changed");
    guest_check(fcntl(of_thread, F_GETFL) & PIDFD_THREAD, "it is of no thread any more");
    guest_check(pid_of(of_child) == child && !ready(of_child), "the child's pidfd changed");
    guest_check(pid_of(of_zombie) == zombie && ready(of_zombie), "the zombie's pidfd changed");
    siginfo_t info = {0};
    guest_check(waitid(P_PIDFD, (id_t)of_zombie, &info, WEXITED | WNOWAIT) == 0 &&
                    info.si_status == 9 && info.si_pid == zombie,
                "the zombie is not there");
    guest_check(send_signal(of_child, 0) == 0, "the child gets no signals");
    verify_dead();
    guest_check(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == zombie,
                "there is another zombie");
}

int main(void)
{
    pthread_t id;
    int started[2];
    char byte;
    guest_need(pipe(started) == 0 && pthread_create(&id, NULL, thread, &started[1]) == 0 &&
                   read(started[0], &byte, 1) == 1,
               "a thread");
    self = open_pid(getpid(), 0);
    of_thread = open_pid(thread_id, PIDFD_THREAD);
    child = fork_one(-1), of_child = open_pid(child, 0);
    pid_t dead = fork_one(5), murdered = fork_one(-1);
    gone = open_pid(dead, 0), gone_too = open_pid(dead, O_NONBLOCK), killed = open_pid(murdered, 0);
    kill(murdered, SIGTERM);
    guest_need(waitpid(dead, NULL, 0) == dead && waitpid(murdered, NULL, 0) == murdered,
               "the dead");
    zombie = fork_one(9), of_zombie = open_pid(zombie, 0);
    while (!ready(of_zombie))
        guest_sleep(MILLISECOND);
    tells_exit = exit_code(gone) >= 0;
    guest_serve(verify);
}
