#include "container/launch.h"

#include <errno.h>

#include "base/clock.h"
#include "base/io.h"
#include "container/bundle.h"
#include "container/cleanup.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/monitor.h"
#include "container/runtime.h"
#include "container/seccomp-cache.h"

/* What the runtime reads as config.json of its bundle. */
static int place_spec(struct container *c, struct json *spec, struct error *err)
{
    _cleanup_free_ char *path = container_run_path(c, "config.json");
    int r = mkdir_parents(c->run_directory, 0700, err);
    return r < 0 ? r : js_write_file(path, spec, 0600, err);
}

static int create(struct container *c, struct json *spec, pid_t *ret_pid, struct error *err)
{
    _cleanup_free_ char *key = seccomp_cache_key(c, spec);
    bool compiled = key && seccomp_cache_use(c, key, spec);
    int r = place_spec(c, spec, err);
    if (r == 0)
        r = monitor_create(c, ret_pid, err);
    if (r == 0 && key && !compiled)
        seccomp_cache_keep(c, key);
    return r;
}

int container_create_in_runtime(struct container *c, const struct runtime_create_options *options,
                                struct process *ret_init, struct error *err)
{
    _cleanup_json_ struct json *spec = NULL;
    pid_t pid = 0;
    int r = 0;
    if (options && options->spec)
        spec = js_copy(options->spec);
    else
        r = bundle_spec(c, &spec, err);
    if (r == 0)
        r = create(c, spec, &pid, err);
    struct process init = {0};
    if (r == 0 && (r = process_identify(pid, &init)) < 0)
        r = error_errno(err, -r, "the init process %d of container %s is gone", (int)pid, c->id);
    if (r < 0) {
        cleanup_after_failure(c);
        return r;
    }
    c->facts.pid = pid;
    c->facts.conmon_pid = monitor_pid(c);
    container_event(c, "init");
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
        return r;
    }
    container_event(c, "start");
    return 0;
}
