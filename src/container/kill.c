#include "container/kill.h"

#include <errno.h>
#include <signal.h>

#include "container/end.h"
#include "container/event.h"
#include "container/state.h"

static int send(struct container *c, const struct container_status *s, int signal,
                struct error *err)
{
    int r = end_signal(&s->init, signal);
    return r < 0 && r != -ESRCH
               ? error_errno(err, -r, "cannot send signal %d to container %s", signal, c->id)
               : 0;
}

int container_kill(struct container *c, int signal, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    struct container_status s;
    r = container_status(locked, &s, err);
    if (r < 0)
        return r;
    if (!container_state_is_alive(s.state))
        return error_kind_set(err, ERROR_STATE,
                              "can only kill running containers. %s is in state %s: container "
                              "state improper",
                              c->id, container_state_shown(s.state));
    r = signal == SIGKILL ? end_kill(c, &s, err) : send(c, &s, signal, err);
    if (r == 0)
        container_event(c, "kill");
    return r;
}
