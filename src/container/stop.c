#include "container/stop.h"

#include <errno.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/io.h"
#include "container/cleanup.h"
#include "container/end.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/runtime.h"
#include "container/signals.h"
#include "container/state.h"

/* Sends the stop signal and gives the container its time. The lock is not held meanwhile, so that
 * others can look at it, or kill it. Returns 0 or -ETIMEDOUT. */
static int ask(struct container *c, const struct container_status *s, int timeout)
{
    end_signal(&s->init, container_stop_signal(c));
    if (s->state == CONTAINER_PAUSED)
        runtime_resume(c, NULL);
    container_unlock(c);
    return end_wait(c, &s->init, timeout * INT64_C(1000000000));
}

static int end(struct container *c, const struct container_status *s, int timeout,
               struct error *err)
{
    _cleanup_free_ char *mark = container_run_path(c, "stopping");
    file_write_atomic(mark, "", 0, 0600, false, NULL);
    if (timeout == 0 || s->state == CONTAINER_INITIALIZED) {
        int r = end_kill(c, s, err);
        container_unlock(c);
        return r;
    }
    int r = ask(c, s, timeout);
    if (r != -ETIMEDOUT)
        return 0;
    const char *name = signal_name(container_stop_signal(c));
    firn_warn(c->firn,
              "StopSignal %s failed to stop container %s in %d seconds, resorting to SIGKILL",
              name ? name : "signal", c->name, timeout);
    return end_kill(c, s, err);
}

int container_stop(struct container *c, int timeout_seconds, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    struct container_status s;
    r = container_status(c, &s, err);
    bool ends = r == 0 && (container_state_is_alive(s.state) || s.state == CONTAINER_INITIALIZED);
    if (!ends) {
        if (r == 0 && s.state == CONTAINER_STOPPED)
            r = cleanup_ended(c, err);
        container_unlock(c);
        return r < 0 ? r : 1;
    }
    int timeout = timeout_seconds < 0 ? (int)container_stop_timeout(c) : timeout_seconds;
    r = end(c, &s, timeout, err);
    if (r < 0)
        return r;
    /* Gone meanwhile: it removed itself. */
    r = container_lock(c, err);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = container_status(c, &s, err);
    if (r == 0 && s.state == CONTAINER_STOPPED)
        r = cleanup_ended(c, err);
    if (r == 0)
        container_event(c, "stop");
    container_unlock(c);
    return r;
}
