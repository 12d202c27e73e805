/* Exec sessions that are made first and started later, by another command: what the REST API asks
 * for. A session lives in the run directory of its container and goes with it; one that has ended
 * is forgotten some minutes later.
 *
 *     r = session_create(c, &options, true, &id, err);
 *     ...
 *     _cleanup_session_ struct session *s = NULL;
 *     r = session_lookup(firn, id, &s, err);
 *     r = session_start(s, true, &streams, err);        // the command waits
 *     r = session_begin(s, &streams, err);              // and runs
 */
#pragma once

#include "container/exec.h"
#include "container/monitor.h"

struct session {
    struct container *c;
    char *id;
    char *directory;
    struct json *record; /* the options as given: Command Env User WorkDir Tty Interactive ... */
};
void session_free(struct session *s);
DEFINE_CLEANUP(struct session *, session_free);
#define _cleanup_session_ _cleanup_(session_freep)

/* `output`: the caller wants to see what it writes. The errors are those of container_exec. */
int session_create(struct container *c, const struct exec_options *options, bool output,
                   char **ret_id, struct error *err);
/* ERROR_NOT_FOUND: `no exec session with ID "X" found: no such exec session`. */
int session_lookup(struct firn *firn, const char *id, struct session **ret, struct error *err);

enum session_state {
    SESSION_CREATED,
    SESSION_RUNNING,
    SESSION_ENDED,
};
struct session_status {
    enum session_state state;
    pid_t pid;     /* 0: not running */
    int exit_code; /* of one that ended */
};
void session_status(const struct session *s, struct session_status *ret);

bool session_has_tty(const struct session *s);
bool session_has_stdin(const struct session *s);

/* With attach, `ret` has the attach socket and the command waits for session_begin; without, it
 * runs. A session is started once: ERROR_STATE after that. */
int session_start(struct session *s, bool attach, struct monitor_session *ret, struct error *err);
int session_begin(struct session *s, struct monitor_session *m, struct error *err);
/* Waits until conmon has written down the exit code of a session that ended its output. */
void session_wait(struct session *s, struct monitor_session *m);
/* The size of its terminal. */
int session_resize(struct session *s, unsigned rows, unsigned columns, struct error *err);
/* The ids of a container's sessions that are running (base/strv.h; the caller frees). */
char **session_list(const struct container *c);
