#include "container/revive.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/progress-bar.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/bundle.h"
#include "container/cgroup-tree.h"
#include "container/cgroup.h"
#include "container/cleanup.h"
#include "container/end.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/judge.h"
#include "container/launch.h"
#include "container/monitor.h"
#include "container/network.h"
#include "container/remove.h"
#include "container/runtime.h"
#include "container/seccomp-cache.h"
#include "container/snapshot.h"
#include "container/spec.h"
#include "container/state.h"
#include "engine/engine.h"
#include "store/volume.h"

/* One restore at work. */
struct work {
    struct job *job;
    const struct revival_plan *plan;
    struct container *c;
    struct json *spec;
    struct judged_images images;
    struct restore *engine;
    struct process init;
    bool created;
    struct progress_bar bar;
};

static void work_clear(struct work *w)
{
    restore_free(w->engine);
    judged_images_close(&w->images);
    js_unref(w->spec);
}

/* ---- reading and checking ---- */

static int join_cgroup(void *context, pid_t pid, struct error *err)
{
    const struct work *w = context;
    return cgroup_join(w->c, pid, err);
}

static bool cancelled(void *context)
{
    return job_cancelled(((const struct work *)context)->job);
}

static void progress(void *context, uint64_t done, uint64_t total)
{
    struct work *w = context;
    w->bar.total = total;
    progress_bar_at(&w->bar, done);
}

static int plan_engine(struct work *w, struct error *err)
{
    int r = judged_images_open(w->plan->dirfd, w->c->name, &w->images, err);
    if (r < 0)
        return r;
    struct engine_restore_options o =
        judged_engine_options(w->c->config, &w->images, w->plan->options);
    o.name = w->c->name;
    o.pages = w->plan->pages;
    o.join_cgroup = join_cgroup;
    o.cancelled = cancelled;
    o.progress = progress;
    o.context = w;
    return restore_plan(&o, w->images.fd, &w->engine, err);
}

/* ---- making ---- */

static int apply_volumes(struct work *w, struct error *err)
{
    const struct json *list = js_get(w->c->config, "namedVolumes");
    int r = 0;
    for (size_t i = 0; r == 0 && i < js_count(list); i++) {
        const char *name = js_get_string(js_at(list, i), "volumeName");
        _cleanup_volume_ struct volume *v = NULL;
        r = volume_lookup(w->c->firn->store, name, &v, err);
        if (r == 0)
            r = snapshot_apply_volume(w->plan->dirfd, name, v->mountpoint, err);
    }
    return r;
}

static int read_network_status(struct work *w, struct json **ret, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    if (faccessat(w->plan->dirfd, "network.status", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int r = file_read_at(w->plan->dirfd, "network.status", 1 << 20, &text, err);
    return r < 0 || !text.size || *text.data != '{' /* Podman writes null for none */
               ? r
               : js_parse(text.data, text.size, "network.status of the checkpoint", ret, err);
}

/* The same addresses as before, but not for a second container of the same checkpoint. */
static int prepare_container(struct work *w, struct error *err)
{
    const struct restore_options *o = w->plan->options;
    _cleanup_json_ struct json *status = NULL;
    int r = network_is_private(w->c) ? read_network_status(w, &status, err) : 0;
    if (r < 0)
        return r;
    struct network_wish wish = {.status = o->name ? NULL : status,
                                .ignore_ip = o->ignore_static_ip || o->name,
                                .ignore_mac = o->ignore_static_mac || o->name,
                                .quiet = true};
    return container_prepare(w->c, &wish, err);
}

static int prepare(struct work *w, struct error *err)
{
    int r = w->plan->apply_rootfs ? snapshot_reset_rootfs(w->c, err) : 0;
    if (r == 0)
        r = fault("revive", "the writable layer is reset", err);
    if (r == 0)
        r = prepare_container(w, err);
    if (r == 0)
        r = fault("revive", "the container is prepared", err);
    if (r == 0 && w->plan->apply_rootfs)
        r = snapshot_apply_rootfs(w->c, w->plan->dirfd, err);
    if (r == 0)
        r = fault("revive", "the writable layer is applied", err);
    if (r == 0 && w->plan->apply_volumes)
        r = apply_volumes(w, err);
    if (r == 0)
        r = snapshot_apply_shm(w->c, w->plan->dirfd, err);
    if (r == 0)
        r = fault("revive", "volumes and shared memory are applied", err);
    return r < 0 ? r : bundle_spec(w->c, &w->spec, err);
}

static int create(struct work *w, struct error *err)
{
    _cleanup_json_ struct json *spec = spec_for_restore(w->spec);
    struct runtime_create_options o = {.spec = spec};
    int r = container_create_in_runtime(w->c, &o, &w->init, err);
    if (r < 0)
        return r;
    w->created = true;
    r = fault("revive", "the runtime has created it", err);
    return r < 0 ? r : snapshot_apply_tmpfs(w->c, w->plan->dirfd, w->init.pid, w->spec, err);
}

static int record(struct work *w, struct error *err)
{
    struct container_facts *f = &w->c->facts;
    if (w->plan->new_start || !f->started_at)
        f->started_at = now_ns();
    f->checkpointed = false;
    f->oom_killed = false;
    return container_mark_restored(w->c, err);
}

/* The runtime's `start` waits for its init, and the init for us, its tracer: the two run side by
 * side. If the start fails the init is killed, which ends our waiting; the error comes by the pipe.
 */
static pid_t start_aside(struct work *w, int report[2], struct error *err)
{
    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot start container %s", w->c->name);
    pid_t pid = fork();
    if (pid == 0) {
        /* It has our lock open, and without us the runtime would wait for ever. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct error failed = {0};
        int r = runtime_start(w->c, &failed);
        if (r < 0 && write_full(report[1], &failed, sizeof(failed)) == 0)
            end_signal(&w->init, SIGKILL);
        _exit(r < 0);
    }
    if (pid < 0)
        error_errno(err, errno, "cannot start container %s", w->c->name);
    close(report[1]);
    return pid < 0 ? -EAGAIN : pid;
}

static int start_and_build(struct work *w, struct error *err)
{
    int report[2];
    pid_t starter = start_aside(w, report, err);
    if (starter < 0)
        return starter;
    _cleanup_close_ int failure = report[0];
    int r = restore_build(w->engine, err);
    progress_bar_end(&w->bar);
    struct error why;
    spawn_wait(starter);
    if (r < 0 && read_full(failure, &why, sizeof(why)) == sizeof(why))
        *err = why;
    return r;
}

static pid_t pid_of(void *context, pid_t vpid)
{
    return restore_pid(context, vpid);
}

static int make_cgroups(struct work *w, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_ struct json *tree = NULL;
    if (!cgroup_is_used(w->c) ||
        faccessat(w->images.fd, CGROUP_TREE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int r = file_read_at(w->images.fd, CGROUP_TREE_FILE, 16 << 20, &text, err);
    if (r == 0)
        r = js_parse(text.data, text.size, CGROUP_TREE_FILE " of the checkpoint", &tree, err);
    return r < 0 ? r : cgroup_tree_make(w->c, tree, pid_of, w->engine, err);
}

static int bring_back(struct work *w, struct error *err)
{
    int r = restore_seize(w->engine, w->init.pid, err);
    if (r == 0)
        r = start_and_build(w, err);
    if (r == 0)
        r = make_cgroups(w, err);
    if (r == 0 && job_cancelled(w->job))
        r = error_kind_set(err, ERROR_CANCELLED, "the restore of container %s was cancelled",
                           w->c->name);
    return r;
}

static int finish(struct work *w, struct error *err)
{
    struct container_facts before = w->c->facts;
    int r = seccomp_filter_keep(w->c, w->spec, w->images.fd, err);
    if (r == 0)
        r = record(w, err);
    if (r == 0)
        r = fault("revive", "it is recorded", err);
    if (r < 0)
        return r;
    revive_unmark(w->c);
    network_open(w->c);
    r = restore_release(w->engine, err);
    if (r < 0) {
        before.pid = 0;
        w->c->facts = before;
        container_save_facts(w->c, NULL);
        return r;
    }
    container_event(w->c, "restore");
    return w->plan->apply_rootfs ? snapshot_keep_rootfs(w->c, err) : 0;
}

/* ---- undoing ---- */

static void undo(struct work *w)
{
    restore_free(take_ptr(w->engine));
    if (w->created) {
        end_signal(&w->init, SIGKILL);
        end_wait(w->c, &w->init, INT64_C(10000000000));
    }
    cleanup_after_failure(w->c);
    bundle_teardown(w->c, NULL);
    snapshot_revert_rootfs(w->c, NULL);
}

static void fill_stats(const struct work *w, struct restore_stats *stats)
{
    struct engine_restore_stats s = {0};
    if (w->engine)
        restore_stats(w->engine, &s);
    stats->forking_time = (int64_t)s.forking_time;
    stats->restore_time = (int64_t)s.restore_time;
    stats->pages_restored = (int64_t)s.pages_restored;
    stats->pages_compared = (int64_t)s.pages_compared;
    stats->pages_skipped_cow = (int64_t)s.pages_skipped_cow;
}

int revive(struct job *job, const struct revival_plan *plan, struct restore_stats *stats,
           struct error *err)
{
    _cleanup_(work_clear) struct work w = {.job = job,
                                           .plan = plan,
                                           .c = plan->c,
                                           .images = JUDGED_IMAGES_NONE,
                                           .bar = {.what = "Restoring"}};
    int r = plan_engine(&w, err);
    if (r == 0)
        r = fault("revive", "it is planned", err);
    if (r == 0)
        r = prepare(&w, err);
    if (r == 0)
        r = create(&w, err);
    if (r == 0)
        r = bring_back(&w, err);
    if (r == 0)
        r = finish(&w, err);
    fill_stats(&w, stats);
    if (r < 0)
        undo(&w);
    return r;
}

/* ---- the mark ---- */

#define MARK "restoring"

int revive_mark(struct container *c, const char *what, struct error *err)
{
    _cleanup_free_ char *path = container_path(c, MARK);
    return file_write_atomic(path, what, strlen(what), 0600, false, err);
}

void revive_unmark(struct container *c)
{
    _cleanup_free_ char *path = container_path(c, MARK);
    unlink(path);
}

int revive_remove(struct container *c, bool keep_volumes, struct error *err)
{
    _cleanup_json_ struct json *volumes = js_copy(js_get(c->config, "namedVolumes"));
    struct firn *firn = c->firn;
    int r = container_remove(c, &(struct remove_options){.volumes = true}, err);
    for (size_t i = 0; !keep_volumes && i < js_count(volumes); i++)
        volume_remove(firn->store, js_get_string(js_at(volumes, i), "volumeName"), NULL);
    return r;
}

int revive_recover(struct container *c, struct error *err)
{
    _cleanup_free_ char *path = container_path(c, MARK);
    char what[32];
    if (file_read_line(path, what, sizeof(what)) < 0)
        return 0;
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (s.init.pid)
        end_kill(c, &s, NULL);
    cleanup_after_failure(c);
    bundle_teardown(c, NULL);
    snapshot_revert_rootfs(c, NULL);
    revive_unmark(c);
    if (!string_starts(what, REVIVE_IMPORT))
        return 0;
    r = revive_remove(c, strcmp(what, REVIVE_IMPORT_KEEPING) == 0, err);
    return r < 0 ? r : 1;
}
