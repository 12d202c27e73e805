/* A process that had come into the container by exec has its parent outside, so it cannot be born
 * inside. We bear it ourselves: our child enters the container's namespaces with its old pid, stops
 * and becomes a puppet. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "engine/kernel.h"
#include "engine/restore.h"

/* Namespaces to enter; the pid namespace is entered by our child's birth. Those that are ours as
 * well are left out: entering again what belongs to the host is not allowed to an ordinary user. */
static int inner_namespaces(pid_t init)
{
    static const struct {
        const char *name;
        int flag;
    } all[] = {
        {"ns/mnt", CLONE_NEWNS},  {"ns/uts", CLONE_NEWUTS},       {"ns/ipc", CLONE_NEWIPC},
        {"ns/net", CLONE_NEWNET}, {"ns/cgroup", CLONE_NEWCGROUP},
    };
    int flags = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        char theirs[64], ours[64];
        if (proc_link(init, all[i].name, theirs, sizeof(theirs)) == 0 &&
            proc_link(getpid(), all[i].name, ours, sizeof(ours)) == 0 && strcmp(theirs, ours) != 0)
            flags |= all[i].flag;
    }
    return flags;
}

/* The C library has registered a restartable sequence for this thread, which a program that is
 * about to be replaced must not keep. */
static void forget_rseq(void)
{
    if (__rseq_size)
        syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1, RSEQ_SIG);
}

/* A session or group that the container does not see (0) is one outside: ours does as well. */
static void child(const struct task *t, int pidfd, int namespaces, int report)
{
    int code = 0;
    if (namespaces && setns(pidfd, namespaces) < 0)
        code = errno;
    else if (t->session && setsid() < 0)
        code = errno;
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &dfl, NULL);
    forget_rseq();
    if (write(report, &code, sizeof(code)) != sizeof(code))
        _exit(1);
    close_range(0, ~0u, 0);
    for (;;)
        pause();
}

/* A process in between, since one that has entered a pid namespace may not be allowed to leave it
 * again. Its child is ours. */
static _Noreturn void midwife(const struct task *t, int pidfd, int namespaces, int report,
                              int answer)
{
    pid_t vpid = t->vpid;
    struct clone_args args = {
        .flags = CLONE_PARENT,
        .set_tid = (uint64_t)(uintptr_t)&vpid,
        .set_tid_size = 1,
    };
    int pid = setns(pidfd, CLONE_NEWPID) < 0 ? -1 : (int)syscall(SYS_clone3, &args, sizeof(args));
    if (pid == 0)
        child(t, pidfd, namespaces, report);
    int said = pid < 0 ? -errno : pid;
    _exit(write(answer, &said, sizeof(said)) != sizeof(said));
}

static pid_t bear(const struct task *t, int pidfd, int namespaces, int *ready, struct error *err)
{
    int report[2], answer[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot make process %d", t->vpid);
    _cleanup_close_ int ours = report[0], childs = report[1];
    if (pipe2(answer, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot make process %d", t->vpid);
    _cleanup_close_ int listen = answer[0], say = answer[1];
    pid_t helper = fork();
    if (helper == 0)
        midwife(t, pidfd, namespaces, childs, say);
    int pid = -errno;
    close(take_fd(say));
    if (helper > 0 && read_full(listen, &pid, sizeof(pid)) != sizeof(pid))
        pid = -EIO;
    if (helper > 0)
        waitpid(helper, NULL, 0);
    *ready = take_fd(ours);
    return pid < 0 ? error_errno(err, -pid, "cannot make process %d", t->vpid) : pid;
}

static int seize(struct restore *r, struct task *t, struct error *err)
{
    unsigned long options =
        puppet_options | PTRACE_O_EXITKILL | (r->seccomp_suspended ? PTRACE_O_SUSPEND_SECCOMP : 0);
    if (ptrace(PTRACE_SEIZE, t->pid, 0, options) < 0 || ptrace(PTRACE_INTERRUPT, t->pid, 0, 0) < 0)
        return error_errno(err, errno, "cannot take control of process %d", t->vpid);
    t->threads[0].puppet = (struct puppet){.tid = t->pid, .vtid = t->vpid, .process = t->pid};
    return puppet_wait(t->pid, NULL) == STOP_GONE
               ? error_set(err, ESRCH, "process %d died at birth", t->vpid)
               : 0;
}

static int bear_in_namespace(struct restore *r, struct task *t, struct error *err)
{
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, r->init, 0);
    if (pidfd < 0)
        return error_errno(err, errno, "cannot enter the pid namespace of container %s",
                           r->options.name);
    _cleanup_close_ int ready = -1;
    pid_t pid = bear(t, pidfd, inner_namespaces(r->init), &ready, err);
    if (pid < 0)
        return pid;
    t->pid = pid;
    int code = EIO;
    if (read_full(ready, &code, sizeof(code)) != sizeof(code) || code)
        return error_errno(err, code, "process %d cannot enter container %s", t->vpid,
                           r->options.name);
    return 0;
}

int enter_container(struct restore *r, struct task *t, struct error *err)
{
    int n = bear_in_namespace(r, t, err);
    if (n == 0 && r->options.join_cgroup)
        n = r->options.join_cgroup(r->options.context, t->pid, err);
    if (n == 0)
        n = seize(r, t, err);
    if (n < 0 && t->pid > 0)
        kill(t->pid, SIGKILL);
    return n;
}
