#include "execution/cleanup.h"

#include "execution/control.h"
#include "execution/place.h"
#include "execution/vessel.h"

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
    _cleanup_close_ int lock = control_take_over(e, err);
    if (lock < 0)
        return lock;
    r = vessel_remove(e, err);
    if (r == 0)
        r = place_remove(e, err);
    return r < 0 ? r : execution_delete(e, err);
}
