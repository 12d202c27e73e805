#include "engine/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/spawn.h"

bool ipc_is_own(pid_t pid)
{
    char ours[64], theirs[64];
    return proc_link(getpid(), "ns/ipc", ours, sizeof(ours)) == 0 &&
           proc_link(pid, "ns/ipc", theirs, sizeof(theirs)) == 0 && strcmp(ours, theirs) != 0;
}

bool ipc_may_have(pid_t pid, bool (*ask)(void))
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
    _cleanup_close_ int there = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int home = open("/proc/thread-self/ns/ipc", O_RDONLY | O_CLOEXEC);
    if (there < 0 || home < 0 || setns(home, CLONE_NEWIPC) < 0 || setns(there, CLONE_NEWIPC) < 0)
        return true;
    bool answer = ask();
    return setns(home, CLONE_NEWIPC) < 0 || answer;
}

/* Reports by the pipe, then waits until nobody holds the other end of `hold`. */
static void child(int ns, int report, int hold, int (*run)(void *, struct error *), void *context)
{
    struct error e = {0};
    char c;
    if (setns(ns, CLONE_NEWIPC) < 0)
        error_errno(&e, errno, "cannot enter the ipc namespace");
    else
        run(context, &e);
    if (write_full(report, &e, sizeof(e)) == 0)
        (void)!read(hold, &c, 1);
    _exit(0);
}

static int talk(pid_t pid, int report, int (*meanwhile)(pid_t, void *, struct error *),
                void *context, struct error *err)
{
    struct error e = {0};
    if (read_full(report, &e, sizeof(e)) != sizeof(e))
        return error_set(err, EIO, "the process that looks after System V objects died");
    e.text[sizeof(e.text) - 1] = 0;
    if (e.code)
        *err = e;
    if (e.code)
        return -e.code;
    return meanwhile ? meanwhile(pid, context, err) : 0;
}

int ipc_enter(pid_t pid, int (*run)(void *context, struct error *err),
              int (*meanwhile)(pid_t child, void *context, struct error *err), void *context,
              struct error *err)
{
    char path[64];
    int from_child[2], to_child[2];
    snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
    _cleanup_close_ int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || pipe2(from_child, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot open the ipc namespace of process %d", pid);
    _cleanup_close_ int report = from_child[0], answer = from_child[1];
    if (pipe2(to_child, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot open the ipc namespace of process %d", pid);
    _cleanup_close_ int hold = to_child[0], release = to_child[1];
    pid_t id = fork();
    if (id == 0) {
        close(release);
        child(ns, answer, hold, run, context);
    }
    if (id < 0)
        return error_errno(err, errno, "cannot look at System V objects");
    close(take_fd(answer));
    int r = talk(id, report, meanwhile, context, err);
    close(take_fd(release));
    spawn_wait(id);
    return r;
}
