#include "container/attach.h"

#include <errno.h>

#include "container/bundle.h"
#include "container/cleanup.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/launch.h"
#include "container/monitor.h"
#include "container/remove.h"
#include "container/start.h"
#include "container/state.h"
#include "container/stream.h"
#include "container/wait.h"

/* After the end: whoever comes first, this or conmon's call of `container cleanup`, does the work.
 */
static int finish(struct container *c, int *ret_code, struct error *err)
{
    int r = container_wait(c, NULL, 10000000, ret_code, err);
    if (r == 0)
        r = container_lock(c, err);
    if (r == -ENOENT) {
        *err = (struct error){0};
        return 0; /* it was made with --rm, and conmon's call was faster */
    }
    if (r < 0)
        return r;
    _cleanup_locked_ struct container *locked = c;
    struct container_status s;
    r = container_status(locked, &s, err);
    if (r < 0)
        return r;
    /* Started again by somebody else meanwhile: not ours any more. */
    if (container_state_is_alive(s.state) || s.state == CONTAINER_INITIALIZED)
        return 0;
    if (container_auto_removes(c))
        return container_remove(c, &(struct remove_options){.volumes = true, .timeout_seconds = -1},
                                err);
    return s.state == CONTAINER_STOPPED ? cleanup_ended(c, err) : 0;
}

static int carry(struct container *c, int fd, const struct process *init,
                 const struct attach_options *options, struct error *err)
{
    struct stream s = {
        .fd = fd,
        .directory = c->run_directory,
        .tty = container_has_tty(c),
        .input = container_has_stdin(c),
        .init = init,
    };
    return stream_run(&s, options, err);
}

int container_attach(struct container *c, const struct attach_options *options, int *ret_code,
                     struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (s.state != CONTAINER_RUNNING && s.state != CONTAINER_STOPPING)
        return error_kind_set(err, ERROR_STATE, "you can only attach to running containers");
    _cleanup_close_ int fd = monitor_attach(c->run_directory, err);
    if (fd < 0)
        return fd;
    container_event(c, "attach");
    int end = carry(c, fd, &s.init, options, err);
    if (end != ATTACH_ENDED)
        return end;
    r = finish(c, ret_code, err);
    return r < 0 ? r : end;
}

/* A start that failed leaves nothing, and one with --rm not even the container. */
static void undo(struct container *c)
{
    cleanup_after_failure(c);
    bundle_teardown(c, NULL);
    if (container_auto_removes(c))
        container_remove(c, &(struct remove_options){.volumes = true}, NULL);
}

/* Attached before it is started. Returns the socket. */
static int start_locked(struct container *c, struct process *ret_init, struct error *err)
{
    int r = start_bring_up(c, err);
    bool runs = r == 1;
    if (r < 0 && container_auto_removes(c))
        container_remove(c, &(struct remove_options){.volumes = true}, NULL);
    if (r < 0)
        return r;
    struct container_status s;
    r = container_status(c, &s, err);
    if (r < 0)
        return r;
    *ret_init = s.init;
    _cleanup_close_ int fd = monitor_attach(c->run_directory, err);
    r = fd;
    if (r >= 0)
        container_event(c, "attach");
    if (r >= 0 && !runs) {
        c->facts.restored = false;
        r = container_start_in_runtime(c, err);
    }
    if (r < 0) {
        if (!runs)
            undo(c);
        return r;
    }
    return take_fd(fd);
}

int container_start_attached(struct container *c, const struct attach_options *options,
                             int *ret_code, struct error *err)
{
    int r = container_lock(c, err);
    if (r < 0)
        return r;
    struct process init = {0};
    _cleanup_close_ int fd = start_locked(c, &init, err);
    container_unlock(c);
    if (fd < 0)
        return fd;
    int end = carry(c, fd, &init, options, err);
    if (end != ATTACH_ENDED)
        return end;
    r = finish(c, ret_code, err);
    return r < 0 ? r : end;
}
