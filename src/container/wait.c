#include "container/wait.h"

#include <errno.h>
#include <time.h>

#include "base/strv.h"
#include "container/cleanup.h"
#include "container/firn.h"
#include "container/monitor.h"
#include "container/state.h"
#include "store/database.h"
#include "store/store.h"

/* Facts and kernel seen in an order that misses no cleanup in between. */
static int look(struct container *c, struct container_status *s, struct error *err)
{
    int r = container_refresh(c, err);
    if (r == 0)
        r = container_status(c, s, err);
    if (r == 0 && (s->state == CONTAINER_CREATED || s->state == CONTAINER_EXITED)) {
        r = container_refresh(c, err);
        if (r == 0)
            r = container_status(c, s, err);
    }
    return r;
}

static int check_conditions(char *const *conditions, struct error *err)
{
    STRV_FOREACH(name, conditions)
    {
        if (container_state_parse(*name) < 0)
            return error_kind_set(err, ERROR_USAGE, "unknown container state: %s: invalid argument",
                                  *name);
    }
    return 0;
}

static bool ended(enum container_state state)
{
    return state == CONTAINER_STOPPED || state == CONTAINER_EXITED;
}

/* Does a condition hold? *ret_code is what to print then. */
static bool holds(char *const *conditions, const struct container_status *s, int *ret_code)
{
    *ret_code = ended(s->state) ? s->exit_code : s->state == CONTAINER_CREATED ? 0 : -1;
    if (!conditions || !*conditions)
        return ended(s->state) || s->state == CONTAINER_CREATED;
    STRV_FOREACH(name, conditions)
    {
        int wanted = container_state_parse(*name);
        if (wanted == (int)s->state || (ended(s->state) && ended((enum container_state)wanted)))
            return true;
    }
    return false;
}

int container_wait_removed(struct firn *firn, const char *id, int *ret_code)
{
    int64_t code = -1;
    struct error ignored;
    int r = database_number(firn->store->db, -1, &code, &ignored,
                            "SELECT exit_code FROM exit_codes WHERE container_id = ?", "s", id);
    if (r < 0 || code < 0)
        return -ENOENT;
    *ret_code = (int)code;
    return 0;
}

/* A container that was checkpointed has not come to its end: there is no exit code to tell. */
static bool is_checkpointed(const struct container *c)
{
    return c->facts.checkpointed || checkpoint_mark_exists(c);
}

int container_wait(struct container *c, char *const *conditions, int64_t interval_ns, int *ret_code,
                   struct error *err)
{
    int r = check_conditions(conditions, err);
    if (r < 0)
        return r;
    bool only_the_end = !conditions || !*conditions;
    for (;;) {
        struct container_status s;
        r = look(c, &s, err);
        /* It removed itself while we waited: its code is kept for a while. */
        if (r == -ENOENT && container_wait_removed(c->firn, c->id, ret_code) == 0) {
            *err = (struct error){0};
            return 0;
        }
        if (r < 0)
            return r;
        if (only_the_end && ended(s.state) && is_checkpointed(c))
            return error_set(err, ENOENT,
                             "getting exit code of container %s from DB: no such exit code "
                             "(container in state exited): it was checkpointed and can be restored",
                             c->id);
        if (holds(conditions, &s, ret_code))
            return 0;
        bool alive = container_state_is_alive(s.state) || s.state == CONTAINER_INITIALIZED;
        if (alive && monitor_exit_wait(c, only_the_end ? -1 : interval_ns) != -ESRCH)
            continue;
        struct timespec pause = {.tv_sec = interval_ns / 1000000000,
                                 .tv_nsec = interval_ns % 1000000000};
        nanosleep(&pause, NULL);
    }
}
