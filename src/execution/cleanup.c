#include "execution/cleanup.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "execution/control.h"
#include "execution/place.h"
#include "execution/vessel.h"

#define PATIENCE INT64_C(20000000000)

/* The supervisor ends soon after its execution. */
static int wait_for_lock(const struct execution *e, struct error *err)
{
    int64_t end = monotonic_ns() + PATIENCE;
    for (;;) {
        int fd = place_lock(e, err);
        if (fd != -EWOULDBLOCK)
            return fd;
        if (monotonic_ns() > end)
            return error_set(err, ETIMEDOUT, "the supervisor of execution %s does not end", e->id);
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
}

int execution_cleanup(struct execution *e, bool force, struct error *err)
{
    struct error why = {0};
    int r = execution_refresh(e, err);
    if (r < 0)
        return r;
    if (!execution_is_over(e) && !force)
        return error_kind_set(err, ERROR_STATE,
                              "execution %s is not over: it is %s (--force kills it)", e->id,
                              execution_state_name(e->state));
    if (!execution_is_over(e) && control_ask(e, "POST", "/kill", NULL, NULL, &why) < 0 &&
        why.kind != ERROR_STATE) {
        *err = why;
        return -why.code;
    }
    if (force)
        vessel_kill(e, 9, NULL);
    _cleanup_close_ int lock = wait_for_lock(e, err);
    if (lock < 0)
        return lock;
    r = vessel_remove(e, err);
    if (r == 0)
        r = place_remove(e, err);
    return r < 0 ? r : execution_delete(e, err);
}
