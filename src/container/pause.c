#include "container/pause.h"

#include "container/cgroup.h"
#include "container/event.h"
#include "container/runtime.h"
#include "container/state.h"

static int check(struct container *c, bool pause, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (!pause)
        return s.state == CONTAINER_PAUSED
                   ? 0
                   : error_kind_set(err, ERROR_STATE,
                                    "\"%s\" is not paused, can't unpause: container state improper",
                                    c->id);
    if (s.state == CONTAINER_PAUSED)
        return error_kind_set(err, ERROR_STATE,
                              "\"%s\" is already paused: container state improper", c->id);
    if (s.state != CONTAINER_RUNNING)
        return error_kind_set(err, ERROR_STATE,
                              "\"%s\" is not running, can't pause: container state improper",
                              container_state_shown(s.state));
    if (!cgroup_is_used(c))
        return error_kind_set(
            err, ERROR_USAGE,
            "container %s cannot be paused: that needs the freezer of a cgroup, and "
            "containers of an ordinary user have none here",
            c->name);
    return 0;
}

int container_pause(struct container *c, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    r = check(locked, true, err);
    if (r == 0)
        r = runtime_pause(c, err);
    if (r == 0)
        container_event(c, "pause");
    return r;
}

int container_unpause(struct container *c, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    r = check(locked, false, err);
    if (r == 0)
        r = runtime_resume(c, err);
    if (r == 0)
        container_event(c, "unpause");
    return r;
}
