/* conmon: one per container and per exec session; it holds the stdio, writes the log and the exit
 * file, and calls us back (`container cleanup`). monitor.c is the only file that knows its command
 * line, its pipes and its files. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "container/container.h"

/* Starts conmon, which calls `RT create` on <run_directory>/config.json; returns when the container
 * is created. Writes <run_directory>/process and descriptors.json. Errors are those of
 * runtime_error(). */
int monitor_create(struct container *c, pid_t *ret_pid, struct error *err);

/* An exec session. */
struct monitor_exec {
    const char *session_id;
    const char *directory;    /* of the session, made by the caller */
    const char *process_file; /* process.json */
    bool tty;
    bool stdin_open;
    bool attach; /* someone attaches before it starts */
};
/* A running session: sockets to talk to. */
struct monitor_session {
    int sync_fd;   /* pid now, exit code later */
    int attach_fd; /* conmon's attach socket, -1 without attach */
    int start_fd;
};
/* Starts conmon -e. With attach: returns when the attach socket is connected and the command not
 * started yet; monitor_exec_begin starts it. */
int monitor_exec_start(struct container *c, const struct monitor_exec *exec,
                       struct monitor_session *ret, struct error *err);
int monitor_exec_begin(struct container *c, const struct monitor_exec *exec,
                       struct monitor_session *s, pid_t *ret_pid, struct error *err);
/* Waits for the exit code of an attached session. */
int monitor_exec_wait(struct monitor_session *s, int *ret_code, struct error *err);
void monitor_session_close(struct monitor_session *s);

/* Connects to the attach socket in `directory`. The fd or -errno. */
int monitor_attach(const char *directory, struct error *err);
/* Tells conmon the size of the terminal. Returns 0 or -errno. */
int monitor_resize(const char *directory, unsigned rows, unsigned columns);

/* Packets on the attach socket begin with one of these. */
enum { MONITOR_STDIN = 1, MONITOR_STDOUT = 2, MONITOR_STDERR = 3, MONITOR_PACKET_MAX = 8192 + 1 };

/* The exit file: 0 and the code and the time, or -ENOENT while it is not there. */
int monitor_exit_read(const struct container *c, int *ret_code, int64_t *ret_time);
/* Waits (inotify) until conmon has written the exit file. `timeout_ns` < 0: for ever.
 * Returns 0, -ETIMEDOUT, or -ESRCH when conmon is gone and there is no exit file. */
int monitor_exit_wait(const struct container *c, int64_t timeout_ns);
void monitor_exit_forget(const struct container *c);
/* conmon's pid file. 0 if there is none. */
pid_t monitor_pid(const struct container *c);
