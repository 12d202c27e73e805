/* Running other programs.
 *
 *     struct spawn s = SPAWN_INIT;
 *     s.argv = argv;
 *     s.stdout_to = &output;                        // collect what it prints
 *     int status = spawn_run(&s, err);              // exit code, or -errno with the error set
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

struct spawn {
    char *const *argv; /* argv[0] is looked up in PATH unless it has a slash */
    char *const *env;  /* NULL: ours */
    const char *cwd;   /* NULL: ours */
    int stdin_fd;      /* -1: /dev/null; 0: ours */
    int stdout_fd;     /* -1: /dev/null unless stdout_to; 1: ours */
    int stderr_fd;     /* -1: /dev/null unless stderr_to; 2: ours */
    struct buf *stdout_to;
    struct buf *stderr_to;
    const int *keep_fds; /* inherited as fd 3, 4, ... in this order; all others are closed */
    size_t keep_fd_count;
    bool new_session;
    bool die_with_parent;
    /* Runs in the child just before exec (after fork: only system calls). Returns 0 or -errno. */
    int (*prepare)(void *context);
    void *context;
};
#define SPAWN_INIT                                                                                 \
    {                                                                                              \
        .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1                                           \
    }

/* Starts it. Returns the pid, or -errno with the error naming argv[0] (also when exec fails).
 * stdout_to/stderr_to are not allowed here. */
pid_t spawn_start(const struct spawn *s, struct error *err);
/* Starts it, collects output, waits. Returns the exit code (128 + n for signal n). */
int spawn_run(const struct spawn *s, struct error *err);
/* Waits for a child of spawn_start. Returns as spawn_run. */
int spawn_wait(pid_t pid);
/* Starts it as nobody's child, for helpers that stay: returns its pid, or as spawn_start. */
pid_t spawn_orphan(const struct spawn *s, struct error *err);
/* The absolute path of a program in PATH (or of a path with a slash), NULL if there is none that
 * may be executed. The caller frees. */
char *find_program(const char *name);
