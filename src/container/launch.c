#include "container/launch.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/io.h"
#include "container/cleanup.h"
#include "container/firn.h"
#include "container/monitor.h"
#include "container/runtime.h"

/* What the runtime reads as config.json of its bundle. */
static int place_spec(struct container *c, const struct json *spec, struct error *err)
{
    _cleanup_free_ char *target = container_run_path(c, "config.json");
    _cleanup_free_ char *own = container_path(c, "config.json");
    unlink(target);
    if (spec)
        return js_write_file(target, spec, 0600, err);
    if (symlink(own, target) < 0)
        return error_errno(err, errno, "cannot write %s", target);
    return 0;
}

int container_create_in_runtime(struct container *c, const struct runtime_create_options *options,
                                struct process *ret_init, struct error *err)
{
    int r = mkdir_parents(c->run_directory, 0700, err);
    if (r == 0)
        r = place_spec(c, options ? options->spec : NULL, err);
    pid_t pid = 0;
    if (r == 0)
        r = monitor_create(c, &pid, err);
    struct process init = {0};
    if (r == 0 && (r = process_identify(pid, &init)) < 0)
        r = error_errno(err, -r, "the init process %d of container %s is gone", (int)pid, c->id);
    if (r < 0) {
        cleanup_after_failure(c);
        return r;
    }
    c->facts.pid = pid;
    c->facts.conmon_pid = monitor_pid(c);
    if (ret_init)
        *ret_init = init;
    return 0;
}

int container_start_in_runtime(struct container *c, struct error *err)
{
    /* Said before it is true: the exit of a short container must find its start recorded. */
    struct container_facts *f = &c->facts;
    int64_t previous = f->started_at;
    bool checkpointed = f->checkpointed;
    f->started_at = now_ns();
    f->checkpointed = false;
    f->oom_killed = false;
    int r = container_save_facts(c, err);
    if (r == 0)
        r = runtime_start(c, err);
    if (r < 0) {
        f->started_at = previous;
        f->checkpointed = checkpointed;
        container_save_facts(c, NULL);
    }
    return r;
}
