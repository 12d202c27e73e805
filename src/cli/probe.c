#include "cli/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "container/cgroup.h"

/* Newer than the headers of some distributions; see include/uapi/linux of the kernel. */
#define FEATURE_WP_ASYNC           (1 << 15)
#define OPTION_SUSPEND_SECCOMP     (1 << 21)
#define REQUEST_SECCOMP_GET_FILTER 0x420c
#define REQUEST_GET_RSEQ           0x420f

struct pagemap_scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define PAGEMAP_SCAN_REQUEST _IOWR('f', 16, struct pagemap_scan)

/* ---- a child to look at ---- */

static void child_waits(bool with_filter)
{
    struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
    struct sock_fprog program = {.len = 1, .filter = &allow};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (with_filter) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
            _exit(1);
    }
    raise(SIGSTOP);
    _exit(0);
}

/* Runs `look` on a stopped child. */
static int with_child(bool with_filter, int (*look)(pid_t))
{
    pid_t pid = fork();
    if (pid < 0)
        return errno;
    if (pid == 0)
        child_waits(with_filter);
    int status, r = EINVAL;
    if (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status))
        r = look(pid);
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) == pid && !WIFEXITED(status) && !WIFSIGNALED(status))
        ;
    return r;
}

static int seize(pid_t pid, unsigned long options)
{
    int status;
    if (ptrace(PTRACE_SEIZE, pid, NULL, options) < 0)
        return errno;
    if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
        return errno;
    return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status) ? 0 : EINVAL;
}

static int look_ptrace(pid_t pid)
{
    return seize(pid, 0);
}

static int look_suspend(pid_t pid)
{
    return seize(pid, OPTION_SUSPEND_SECCOMP);
}

static int look_filter(pid_t pid)
{
    int r = seize(pid, 0);
    if (r)
        return r;
    return ptrace(REQUEST_SECCOMP_GET_FILTER, pid, NULL, NULL) < 0 ? errno : 0;
}

static int look_rseq(pid_t pid)
{
    uint64_t configuration[4];
    int r = seize(pid, 0);
    if (r)
        return r;
    void *size = (void *)(uintptr_t)24;
    return ptrace(REQUEST_GET_RSEQ, pid, size, configuration) < 0 ? errno : 0;
}

static int look_descriptor(pid_t pid)
{
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return errno;
    _cleanup_close_ int fd = (int)syscall(SYS_pidfd_getfd, pidfd, 1, 0);
    return fd < 0 ? errno : 0;
}

int probe_ptrace(void)
{
    return with_child(false, look_ptrace);
}

int probe_seccomp_filter(void)
{
    return with_child(true, look_filter);
}

int probe_suspend_seccomp(void)
{
    return with_child(false, look_suspend);
}

int probe_rseq(void)
{
    return with_child(false, look_rseq);
}

int probe_pidfd_getfd(void)
{
    return with_child(false, look_descriptor);
}

/* ---- memory ---- */

int probe_pagemap_scan(void)
{
    struct pagemap_scan arg = {.size = sizeof(arg)};
    _cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    return ioctl(fd, PAGEMAP_SCAN_REQUEST, &arg) < 0 ? errno : 0;
}

int probe_userfaultfd(void)
{
    struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_WP_ASYNC};
    _cleanup_close_ int fd =
        (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    if (fd < 0)
        return errno;
    return ioctl(fd, UFFDIO_API, &api) < 0 ? errno : 0;
}

int probe_kernel_faults(void)
{
    _cleanup_close_ int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    _cleanup_close_ int device = fd < 0 ? open("/dev/userfaultfd", O_RDWR | O_CLOEXEC) : -1;
    return fd < 0 && device < 0 ? EPERM : 0;
}

int probe_mm_map(void)
{
    unsigned size = 0;
    return prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) < 0 ? errno : 0;
}

/* ---- processes ---- */

/* A child that becomes pid 1 of a pid namespace of its own, because we say so. */
int probe_set_tid(void)
{
    pid_t tid = 1;
    int status;
    bool root = geteuid() == 0;
    struct clone_args args = {
        .flags = CLONE_NEWPID | (root ? 0 : CLONE_NEWUSER),
        .exit_signal = SIGCHLD,
        .set_tid = (uint64_t)(uintptr_t)&tid,
        .set_tid_size = 1,
    };
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid < 0)
        return errno;
    if (pid == 0)
        syscall(SYS_exit_group, 0);
    return waitpid((pid_t)pid, &status, 0) == pid && WIFEXITED(status) ? 0 : EINVAL;
}

int probe_kcmp(void)
{
    pid_t self = getpid();
    return syscall(SYS_kcmp, self, self, KCMP_VM, 0, 0) < 0 ? errno : 0;
}

int probe_time_namespace(void)
{
    return path_exists("/proc/self/ns/time_for_children") ? 0 : ENOENT;
}

/* ---- files ---- */

int probe_overlayfs(void)
{
    char line[128];
    _cleanup_fclose_ FILE *f = fopen("/proc/filesystems", "re");
    if (!f)
        return errno;
    while (fgets(line, sizeof(line), f))
        if (strstr(line, "\toverlay\n"))
            return 0;
    return ENODEV;
}

int probe_freezer(void)
{
    if (cgroup_mode() == CGROUP_V2)
        return 0;
    return path_exists("/sys/fs/cgroup/freezer") ? 0 : ENOENT;
}
