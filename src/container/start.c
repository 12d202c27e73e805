#include "container/start.h"

#include "container/bundle.h"
#include "container/cleanup.h"
#include "container/launch.h"
#include "container/runtime.h"
#include "container/state.h"

int start_bring_up(struct container *c, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (s.state == CONTAINER_PAUSED)
        return error_kind_set(err, ERROR_STATE,
                              "cannot start a paused container, try unpause instead: container "
                              "state improper");
    if (container_state_is_alive(s.state))
        return 1;
    if (s.state == CONTAINER_INITIALIZED)
        return 0;
    if (s.state == CONTAINER_STOPPED)
        r = cleanup_ended(c, err);
    else if (runtime_knows(c))
        cleanup_after_failure(c); /* of a firn that was killed half way */
    if (r == 0)
        r = container_prepare(c, NULL, err);
    if (r == 0)
        r = container_create_in_runtime(c, NULL, NULL, err);
    if (r < 0)
        bundle_teardown(c, NULL);
    return r;
}

int container_init(struct container *c, struct error *err)
{
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
                              "container %s has already been created in runtime: container state "
                              "improper",
                              c->id);
    return start_bring_up(c, err);
}

int container_start(struct container *c, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    r = start_bring_up(locked, err);
    if (r != 0)
        return r;
    c->facts.restored = false;
    r = container_start_in_runtime(c, err);
    if (r < 0) {
        cleanup_after_failure(c);
        bundle_teardown(c, NULL);
    }
    return r;
}
