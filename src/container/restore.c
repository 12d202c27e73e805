#include "container/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/checkpoint.h"
#include "container/cleanup.h"
#include "container/config-network.h"
#include "container/firn.h"
#include "container/job.h"
#include "container/judge.h"
#include "container/revive.h"
#include "container/state.h"
#include "store/overlay.h"

struct request {
    const char *id;
    const struct restore_options *options;
};

static int check_state(struct container *c, struct error *err)
{
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (container_state_is_alive(s.state))
        return error_kind_set(err, ERROR_STATE,
                              "container %s is running or paused, cannot restore: container state "
                              "improper",
                              c->id);
    if (s.state == CONTAINER_STOPPED || s.state == CONTAINER_INITIALIZED)
        return cleanup_ended(c, err);
    return 0;
}

static char *local_path(const struct container *c, const struct restore_options *o)
{
    return o->local_path ? xstrdup(o->local_path) : container_path(c, "checkpoint");
}

/* The directory of the local checkpoint. */
static int open_checkpoint(const struct container *c, const struct restore_options *o,
                           struct error *err)
{
    _cleanup_free_ char *path = local_path(c, o);
    _cleanup_free_ char *inventory = path_join(path, "checkpoint/inventory.img");
    if (!path_exists(inventory))
        return error_set(
            err, ENOENT,
            "a complete checkpoint for this container cannot be found, cannot restore: "
            "stat %s: no such file or directory",
            inventory);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "cannot open %s", path) : fd;
}

/* If the last run ended with this very checkpoint, the writable layer is what it was then. */
static bool rootfs_is_as_checkpointed(const struct container *c, const struct restore_options *o)
{
    _cleanup_free_ char *directory = local_path(c, o);
    _cleanup_free_ char *path = path_join(directory, "checkpoint");
    return c->facts.checkpointed && string_equal(c->facts.checkpoint_path, path);
}

/* Only when something is missing, or the user asks, are the images looked through twice. */
static int judge(const struct container *c, int dirfd, const struct restore_options *o,
                 struct error *err)
{
    struct refusals no = {0};
    _cleanup_strv_ char **layers = NULL;
    int r = overlay_container_layers(c->firn->store, container_image_id(c), &layers, err);
    r = refusals_take_any(&no, r, err);
    judge_mounts(c->config, &no);
    if (r == 0 && (o->check || no.count))
        r = judge_restore(c->config, dirfd, NULL, o, &no, err);
    if (r == 0)
        r = refusals_report(&no, err, "container %s cannot be restored", c->name);
    refusals_clear(&no);
    return r;
}

static int restore_locked(struct job *job, struct container *c, const struct restore_options *o,
                          struct error *err)
{
    int r = check_state(c, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open_checkpoint(c, o, err);
    if (fd < 0)
        return fd;
    r = judge(c, fd, o, err);
    if (r < 0 || o->check)
        return r;
    struct revival_plan plan = {
        .c = c,
        .dirfd = fd,
        .options = o,
        .apply_rootfs = !rootfs_is_as_checkpointed(c, o),
    };
    _cleanup_json_ struct json *ports = js_copy(js_get(c->config, "newPortMappings"));
    r = config_publish(c->config, o->publish, err);
    if (r == 0 && o->publish)
        r = container_save_config(c, err);
    if (r < 0)
        return r;
    r = revive_mark(c, REVIVE_RESTORE, err);
    if (r == 0)
        r = revive(job, &plan, job->result, err);
    revive_unmark(c);
    if (r < 0 && o->publish) {
        js_set(c->config, "newPortMappings", ports ? take_ptr(ports) : js_array());
        container_save_config(c, NULL);
    }
    return r;
}

static int work(struct job *job, struct error *err)
{
    const struct request *q = job->request;
    _cleanup_container_ struct container *c = NULL;
    int r = container_lookup(job->firn, q->id, &c, err);
    if (r == 0)
        r = container_lock(c, err);
    if (r < 0)
        return r;
    r = restore_locked(job, c, q->options, err);
    container_unlock(c);
    return r;
}

int container_restore(struct firn *firn, struct container *c, const struct restore_options *options,
                      struct restore_stats *ret_stats, struct error *err)
{
    int64_t begin = monotonic_us();
    const struct request q = {.id = c->id, .options = options};
    struct restore_stats stats = {0};
    int r = job_run(firn, work, &q, &stats, sizeof(stats), err);
    stats.duration = monotonic_us() - begin;
    if (ret_stats)
        *ret_stats = stats;
    return r;
}
