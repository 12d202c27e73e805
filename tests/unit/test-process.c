#include "test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "base/process.h"

static pid_t sleeping_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        for (;;)
            pause();
    }
    CHECK(pid > 0);
    return pid;
}

static void reads_its_own_stat(void)
{
    struct process_stat s;
    CHECK_INT(process_stat_read(getpid(), 0, &s), 0);
    CHECK_INT(s.pid, getpid());
    CHECK_INT(s.parent, getppid());
    CHECK_INT(s.group, getpgrp());
    CHECK_INT(s.session, getsid(0));
    CHECK_INT(s.state, 'R');
    CHECK_INT(s.exit_signal, SIGCHLD);
    CHECK(s.start_stack > 0 && s.arg_end > s.arg_start);
}

static void a_comm_may_hold_anything(void)
{
    struct process_stat s;
    CHECK_INT(prctl(PR_SET_NAME, ") R 1 (x y"), 0);
    CHECK_INT(process_stat_read(getpid(), getpid(), &s), 0);
    CHECK_STRING(s.comm, ") R 1 (x y");
    CHECK_INT(s.parent, getppid());
}

static void a_process_is_pid_and_start_time(void)
{
    struct process p = {0}, other;
    CHECK(!process_alive(&p));
    pid_t pid = sleeping_child();
    CHECK_INT(process_identify(pid, &p), 0);
    CHECK(process_alive(&p));
    other = p;
    other.start_ticks++;
    CHECK(!process_alive(&other));
    CHECK_INT(process_open(&other), -ESRCH);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(!process_alive(&p));
    CHECK(process_identify(pid, &p) < 0);
    CHECK_INT(process_open(&p), -ESRCH);
}

static void a_zombie_is_not_alive(void)
{
    struct process p;
    pid_t pid = sleeping_child();
    CHECK_INT(process_identify(pid, &p), 0);
    kill(pid, SIGKILL);
    siginfo_t info;
    CHECK_INT(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    CHECK(!process_alive(&p));
    waitpid(pid, NULL, 0);
}

static void an_open_process_tells_its_end(void)
{
    struct process p;
    pid_t pid = sleeping_child();
    CHECK_INT(process_identify(pid, &p), 0);
    _cleanup_close_ int fd = process_open(&p);
    CHECK(fd >= 0);
    struct pollfd poll_end = {.fd = fd, .events = POLLIN};
    CHECK_INT(poll(&poll_end, 1, 0), 0);
    kill(pid, SIGKILL);
    CHECK_INT(poll(&poll_end, 1, 10000), 1);
    waitpid(pid, NULL, 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(reads_its_own_stat),
        TEST(a_comm_may_hold_anything),
        TEST(a_process_is_pid_and_start_time),
        TEST(a_zombie_is_not_alive),
        TEST(an_open_process_tells_its_end),
    };
    return run_tests(tests, ARRAY_LEN(tests));
}
