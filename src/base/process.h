/* A process is a pid and its start time: pids are used again, the pair is not. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct process {
    pid_t pid;            /* 0: none */
    uint64_t start_ticks; /* field 22 of /proc/PID/stat, see proc(5) */
};

/* What /proc/PID/stat says, see proc(5). Numbers of other processes (parent, group, session,
 * foreground group) are those of the reader's pid namespace, 0 where it has none. */
struct process_stat {
    pid_t pid;
    char comm[64];
    char state; /* R S D Z T t X I */
    pid_t parent, group, session;
    int tty;
    pid_t tty_foreground;
    uint64_t start_ticks;
    int nice, exit_signal, exit_code, policy, priority;
    uint64_t start_code, end_code, start_stack, start_data, end_data, start_brk;
    uint64_t arg_start, arg_end, env_start, env_end;
};

/* Returns 0 or -errno (-ESRCH / -ENOENT when it is gone). `tid` 0 for the process itself. */
int process_stat_read(pid_t pid, pid_t tid, struct process_stat *ret);
/* Fills in the start time. Returns 0 or -errno. */
int process_identify(pid_t pid, struct process *ret);
/* The very process is there and is no zombie. */
bool process_alive(const struct process *p);
/* pidfd_open(2), checked against the start time. The fd or -errno. */
int process_open(const struct process *p);
