#include "container/remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/checkpoints.h"
#include "container/cleanup.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/state.h"
#include "container/stop.h"
#include "store/database.h"
#include "store/store.h"
#include "store/volume.h"

static void remove_volumes(struct container *c, char *const *names)
{
    STRV_FOREACH(name, names)
    {
        struct error err = {0};
        int r = volume_remove(c->firn->store, *name, &err);
        if (r < 0 && err.kind != ERROR_NOT_FOUND && err.kind != ERROR_IN_USE)
            firn_warn(c->firn, "cannot remove volume %s of container %s: %s", *name, c->id,
                      err.text);
    }
}

/* The directory is first moved aside and then emptied, so that a container is there or is not; what
 * a kill leaves below <root>/tmp the next command removes. */
static int remove_everything(struct container *c, struct error *err)
{
    _cleanup_temp_dir_ char *aside = NULL;
    int r = 0;
    if (path_exists(c->directory)) {
        r = store_temp_dir(c->firn->store, "container", &aside, err);
        _cleanup_free_ char *target = r < 0 ? NULL : path_join(aside, "removed");
        if (r == 0 && rename(c->directory, target) < 0)
            r = error_errno(err, errno, "cannot remove %s", c->directory);
    }
    if (r == 0)
        r = container_delete_record(c, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *marker = xasprintf("%s/mounted/%s", c->firn->runroot, c->id);
    unlink(marker);
    store_forget_lock(c->firn->store, c->id);
    return 0;
}

static int remove_locked(struct container *c, const struct remove_options *options,
                         struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (container_state_is_alive(s.state))
        return error_kind_set(
            err, ERROR_STATE,
            "cannot remove container %s as it is %s - running or paused "
            "containers cannot be removed without force: container state improper",
            c->id, container_state_shown(s.state));
    _cleanup_free_ char *marker = xasprintf("%s/mounted/%s", c->firn->runroot, c->id);
    unlink(marker);
    r = cleanup_ended(c, err);
    if (r < 0)
        return r;
    checkpoint_drop_connections(c);
    _cleanup_strv_ char **volumes = NULL;
    if (options->volumes || container_auto_removes(c))
        r = volume_anonymous_of(c->firn->store, c->id, &volumes, err);
    if (r == 0)
        r = remove_everything(c, err);
    if (r < 0)
        return r;
    container_event(c, "remove");
    remove_volumes(c, volumes);
    return 0;
}

int container_remove(struct container *c, const struct remove_options *options, struct error *err)
{
    if (options->force) {
        int r = container_stop(c, options->timeout_seconds, err);
        if (r < 0)
            return r == -ENOENT ? 0 : r;
    }
    int r = container_lock(c, err);
    if (r == -ENOENT && (options->force || container_auto_removes(c)))
        return 0; /* it removed itself when it ended */
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    return remove_locked(locked, options, err);
}
