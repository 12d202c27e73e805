/* What /proc tells about a thread from outside, see proc(5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

#define PID_CHAIN 33 /* the kernel nests 32 of them */

struct proc_status {
    pid_t vpid, vgroup, vsession; /* in the innermost pid namespace */
    int depth;                    /* pid namespaces it is in */
    pid_t chain[PID_CHAIN];       /* its pid in each of them, from ours on */
    pid_t parent;                 /* ours; 0: outside */
    pid_t process;                /* thread group, ours */
    pid_t tracer;                 /* ours; 0: nobody */
    uint32_t umask;
    uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
    bool no_new_privs;
    int seccomp; /* 0 none, 1 strict, 2 filter */
    int seccomp_filters;
};

/* Of thread `tid` of process `pid` (ours). 0 or -errno. */
int proc_status_read(pid_t pid, pid_t tid, struct proc_status *ret);

/* readlink of /proc/PID/<name>, NUL-terminated. 0 or -errno. */
int proc_link(pid_t pid, const char *name, char *to, size_t size);

/* Our own copy of its descriptor `fd`, which shares the open file (pidfd_getfd(2)). `pid` may be
 * that of any thread where the kernel has pidfds of those (6.9). The descriptor or -errno. */
int proc_borrow(pid_t pid, int fd);

/* Calls `each` for every number named in the directory /proc/PID/<name> ("task", "fd"), in order.
 * Stops at the first negative result and returns it. */
int proc_each(pid_t pid, const char *name, int (*each)(int number, void *context), void *context);
