#pragma once

#include "container/attach.h"
#include "container/container.h"

struct exec_options {
    char *const *command;
    char *const *env; /* K=V or K */
    char *const *env_files;
    const char *user;
    const char *workdir;
    bool tty;
    bool interactive;
    bool privileged;
    bool detach;
    struct attach_options attach; /* used unless detach */
};

/* Runs a command in the container. Attached: returns when it ended, *ret_code is its exit code.
 * Detached: returns when it runs, *ret_session (the caller frees) is the session's id. `can only
 * create exec sessions on running containers: container state improper` is ERROR_STATE: exit 255;
 * `must provide a non-empty command to start an exec session: invalid argument` is ERROR_USAGE: 255
 * likewise. Other kinds: 126, 127, 125 as usual. */
int container_exec(struct container *c, const struct exec_options *options, int *ret_code,
                   char **ret_session, struct error *err);

/* Removes what an ended session left. */
int exec_cleanup(struct container *c, const char *session_id, struct error *err);

/* ---- for session.c ---- */

struct monitor_exec;
/* Is the container running, and is there a command? */
int exec_check(struct container *c, const struct exec_options *o, struct error *err);
/* Makes the session's directory and what conmon reads there; fills in e->process_file, whose text
 * is *ret_process_file (the caller frees). */
int exec_prepare(struct container *c, const struct exec_options *o, struct monitor_exec *e,
                 char **ret_process_file, struct error *err);
