#include "container/cleanup.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "container/bundle.h"
#include "container/cgroup.h"
#include "container/end.h"
#include "container/event.h"
#include "container/exec.h"
#include "container/firn.h"
#include "container/monitor.h"
#include "container/remove.h"
#include "container/runtime.h"
#include "container/state.h"
#include "store/database.h"
#include "store/store.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

/* `wait` may ask for the code of a container that removed itself. */
static int remember_exit_code(struct container *c, struct error *err)
{
    struct database *db = c->firn->store->db;
    if (!container_auto_removes(c))
        return 0;
    int r = database_run(db, err, "DELETE FROM exit_codes WHERE time < ?", "i",
                         now_ns() - SECONDS(300));
    if (r >= 0)
        r = database_run(db, err,
                         "INSERT OR REPLACE INTO exit_codes (container_id, exit_code, time) "
                         "VALUES (?, ?, ?)",
                         "sii", c->id, (int64_t)c->facts.exit_code, now_ns());
    return r < 0 ? r : 0;
}

/* --- the end by a checkpoint ------------------------------------------------------------------ */

#define MARK "checkpointed"

int checkpoint_mark_write(struct container *c, const char *checkpoint_path, struct error *err)
{
    _cleanup_free_ char *path = container_run_path(c, MARK);
    return file_write_atomic(path, checkpoint_path, strlen(checkpoint_path), 0600, false, err);
}

bool checkpoint_mark_exists(const struct container *c)
{
    _cleanup_free_ char *path = container_run_path(c, MARK);
    return path_exists(path);
}

static bool checkpoint_mark_read(const struct container *c, char **ret_checkpoint)
{
    _cleanup_free_ char *path = container_run_path(c, MARK);
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, &text, NULL) < 0)
        return false;
    *ret_checkpoint = buf_take(&text);
    return true;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Takes the exit over from conmon; the last run's if it ended without a word of conmon. */
static int record_exit(struct container *c, struct error *err)
{
    struct container_facts *f = &c->facts;
    int code = EXIT_CODE_UNKNOWN;
    int64_t when = now_ns();
    monitor_exit_wait(c, SECONDS(5));
    monitor_exit_read(c, &code, &when);
    char *checkpoint = NULL;
    if (checkpoint_mark_read(c, &checkpoint)) {
        f->checkpointed = true;
        f->restored = false;
        f->checkpointed_at = when;
        free(f->checkpoint_path);
        f->checkpoint_path = checkpoint;
        code = 0;
    }
    _cleanup_free_ char *oom = container_run_path(c, "oom");
    f->oom_killed = path_exists(oom);
    f->exit_code = code;
    /* The time of the exit file is that of the last tick, which may lie before a start just now. */
    f->finished_at = when > f->started_at ? when : f->started_at;
    int r = remember_exit_code(c, err);
    if (r == 0)
        r = container_save_facts(c, err);
    if (r == 0)
        container_event_died(c);
    return r;
}

/* The run directory goes last: while it is there the container counts as ended but not cleaned up,
 * so whoever comes after a kill in between does it all again. */
static int put_away(struct container *c, struct error *err)
{
    int r = cgroup_remove(c, err);
    if (r == 0)
        r = runtime_forget(c, err);
    if (r == 0)
        r = bundle_teardown(c, err);
    if (r == 0)
        r = remove_tree(c->run_directory, err);
    if (r == 0)
        monitor_exit_forget(c);
    return r;
}

int cleanup_ended(struct container *c, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r == 0 && s.state == CONTAINER_INITIALIZED)
        r = end_kill(c, &s, err);
    bool ended = r == 0 && s.state == CONTAINER_STOPPED;
    if (ended)
        r = record_exit(c, err);
    if (r == 0)
        r = put_away(c, err);
    if (r == 0 && ended)
        container_event(c, "cleanup");
    return r;
}

void cleanup_after_failure(struct container *c)
{
    runtime_delete(c, NULL);
    cgroup_remove(c, NULL);
    remove_tree(c->run_directory, NULL);
    monitor_exit_forget(c);
}

int container_cleanup(struct container *c, const struct cleanup_options *options, struct error *err)
{
    if (options->exec)
        return exec_cleanup(c, options->exec, err);
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    struct container_status s;
    r = container_status(locked, &s, err);
    if (r < 0)
        return r;
    if (container_state_is_alive(s.state) || s.state == CONTAINER_INITIALIZED)
        return error_kind_set(err, ERROR_STATE,
                              "container %s is running or paused, refusing to clean up: container "
                              "state improper",
                              c->id);
    r = cleanup_ended(c, err);
    if (r == 0 && options->remove)
        r = container_remove(c, &(struct remove_options){.volumes = true, .timeout_seconds = -1},
                             err);
    return r;
}

int container_mark_restored(struct container *c, struct error *err)
{
    c->facts.restored = true;
    c->facts.restored_at = now_ns();
    return container_save_facts(c, err);
}
