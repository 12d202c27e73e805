#include "container/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "base/progress-bar.h"
#include "base/strv.h"
#include "container/cgroup-tree.h"
#include "container/cgroup.h"
#include "container/cleanup.h"
#include "container/end.h"
#include "container/event.h"
#include "container/firn.h"
#include "container/job.h"
#include "container/network.h"
#include "container/remove.h"
#include "container/seccomp-cache.h"
#include "container/snapshot.h"
#include "container/state.h"
#include "engine/engine.h"
#include "format/image.h"

struct request {
    const char *id;
    const struct checkpoint_options *options;
};

/* What the engine calls back with. */
struct watch {
    struct job *job;
    struct progress_bar bar;
    bool warned; /* that somebody cannot be stopped */
};

/* After how long whoever is not at a terminal is told what there is to wait for. */
#define PATIENCE_US 3000000

static bool cancelled(void *context)
{
    return job_cancelled(((struct watch *)context)->job);
}

static void progress(void *context, uint64_t done, uint64_t total)
{
    struct watch *w = context;
    w->bar.total = total;
    progress_bar_at(&w->bar, done);
}

static void waiting(void *context, pid_t vpid, const char *comm, const char *why,
                    int64_t microseconds)
{
    struct watch *w = context;
    _cleanup_free_ char *text = xasprintf("Process %d (%s) cannot be stopped %s (%d s)", vpid, comm,
                                          why, (int)(microseconds / 1000000));
    if (progress_bar_say(&w->bar, text) || w->warned || microseconds < PATIENCE_US)
        return;
    w->warned = true;
    firn_warn(w->job->firn, "%s", text);
}

/* ---- before ---- */

static int check_state(struct container *c, const struct checkpoint_options *o,
                       struct container_status *s, struct error *err)
{
    int r = container_status(c, s, err);
    if (r < 0)
        return r;
    if (s->state != CONTAINER_RUNNING)
        return error_kind_set(err, ERROR_STATE,
                              "\"%s\" is not running, cannot checkpoint: container state improper",
                              container_state_shown(s->state));
    if (container_auto_removes(c) && !o->export_path)
        return error_kind_set(err, ERROR_USAGE,
                              "cannot checkpoint containers that have been started with '--rm' "
                              "unless '--export' is used");
    if (string_equal(js_text(js_path(c->config, "firn", "pid", NULL)), "host"))
        return error_kind_set(err, ERROR_USAGE,
                              "container %s shares the pid namespace of the host: its processes "
                              "could not get their pids back, so it cannot be checkpointed",
                              c->name);
    return 0;
}

static char *local_path(const struct container *c, const struct checkpoint_options *o)
{
    return o->local_path ? xstrdup(o->local_path) : container_path(c, "checkpoint");
}

static char *local_images(const struct container *c, const struct checkpoint_options *o)
{
    _cleanup_free_ char *path = local_path(c, o);
    return path_join(path, "checkpoint");
}

static int open_target(const struct container *c, const struct checkpoint_options *o,
                       struct target **ret, struct error *err)
{
    enum compression compression = COMPRESS_ZSTD;
    if (!o->export_path) {
        _cleanup_free_ char *path = local_path(c, o);
        return target_local(path, ret, err);
    }
    if (o->compression && compression_parse(o->compression, &compression) < 0)
        return error_kind_set(
            err, ERROR_USAGE,
            "selected compression algorithm (\"%s\") not supported. Please select "
            "one from: gzip, none, zstd",
            o->compression);
    return target_archive(o->export_path, compression, ret, err);
}

/* ---- while everything stands still ---- */

static int write_cgroups(const struct container *c, struct target *t, struct error *err)
{
    _cleanup_json_ struct json *tree = cgroup_tree_read(c);
    _cleanup_free_ char *text = tree ? js_dump(tree, 1) : NULL;
    return text ? target_add_bytes(t, "checkpoint/" CGROUP_TREE_FILE, text, strlen(text), err) : 0;
}

static int write_processes(const struct container *c, struct dump *d, struct target *t,
                           struct error *err)
{
    _cleanup_free_ char *path = container_run_path(c, "descriptors.json");
    _cleanup_buf_ struct buf descriptors = {0};
    int r = target_add_directory(t, "checkpoint", 0700, err);
    if (r == 0)
        r = file_read(path, &descriptors, err);
    if (r == 0)
        r = target_add_bytes(t, "checkpoint/descriptors.json", descriptors.data, descriptors.size,
                             err);
    if (r == 0)
        r = write_cgroups(c, t, err);
    if (r < 0)
        return r;
    struct sink *sink = target_sink(t, "checkpoint/");
    r = dump_write(d, sink, err);
    sink_free(sink);
    return r;
}

static int write_stats(struct dump *d, struct target *t, struct error *err)
{
    struct dump_stats s;
    dump_stats(d, &s);
    DumpStatsEntry dump = DUMP_STATS_ENTRY__INIT;
    dump.freezing_time = (uint32_t)s.freezing_time;
    dump.frozen_time = (uint32_t)(s.frozen_time ? s.frozen_time : s.images_written);
    dump.memdump_time = (uint32_t)s.memdump_time;
    dump.memwrite_time = (uint32_t)s.memwrite_time;
    dump.pages_scanned = s.pages_scanned;
    dump.pages_written = s.pages_written;
    StatsEntry all = STATS_ENTRY__INIT;
    all.dump = &dump;
    struct sink *sink = target_sink(t, "");
    int r = image_put(sink, IMAGE_STATS_DUMP, 0, &all, err);
    sink_free(sink);
    return r;
}

static int write_all(struct snapshot *s, struct target *t, struct dump *d, struct error *err)
{
    int r = snapshot_write(s, t, err);
    if (r == 0)
        r = fault("checkpoint", "description and files are written", err);
    if (r == 0)
        r = write_processes(s->c, d, t, err);
    if (r == 0)
        r = write_stats(d, t, err);
    if (r == 0)
        r = fault("checkpoint", "processes are written", err);
    if (r == 0)
        r = target_commit(t, err);
    return r < 0 ? r : fault("checkpoint", "it is committed", err);
}

/* So often is looked again whether what hindered has passed. */
enum { PATIENCE = 110, PAUSE_US = 17000 };

/* ---- and after ---- */

static int end_container(struct container *c, const struct checkpoint_options *o, struct dump *d,
                         const struct process *init, struct error *err)
{
    _cleanup_free_ char *local = container_path(c, "checkpoint");
    _cleanup_free_ char *images = local_images(c, o);
    const char *path = o->export_path ? o->export_path : images;
    int r = checkpoint_mark_write(c, path, err);
    if (r == 0)
        r = fault("checkpoint", "the end is marked", err);
    if (r == 0)
        network_close(c); /* or what still arrives would be answered with a reset */
    if (r == 0)
        r = dump_kill(d, err);
    if (r < 0)
        network_open(c);
    if (r == 0)
        r = fault("checkpoint", "the processes are killed", err);
    if (r == 0)
        r = end_wait(c, init, INT64_C(10000000000));
    if (r == 0)
        r = cleanup_ended(c, err);
    if (r == 0)
        r = fault("checkpoint", "it is cleaned up", err);
    if (r == 0 && o->export_path)
        r = remove_tree(local, err);
    if (r == 0 && container_auto_removes(c))
        r = container_remove(c, &(struct remove_options){.volumes = true, .timeout_seconds = -1},
                             err);
    return r;
}

static int go_on(struct container *c, const struct checkpoint_options *o, struct dump *d,
                 struct error *err)
{
    int r = dump_release(d, err);
    if (r < 0)
        return r;
    c->facts.checkpointed_at = now_ns();
    free(c->facts.checkpoint_path);
    c->facts.checkpoint_path = o->export_path ? xstrdup(o->export_path) : local_images(c, o);
    return container_save_facts(c, err);
}

static void fill_stats(const struct dump *d, struct checkpoint_stats *s)
{
    struct dump_stats e;
    dump_stats(d, &e);
    s->freezing_time = (int64_t)e.freezing_time;
    s->frozen_time = (int64_t)e.frozen_time;
    s->memdump_time = (int64_t)e.memdump_time;
    s->memwrite_time = (int64_t)e.memwrite_time;
    s->pages_scanned = (int64_t)e.pages_scanned;
    s->pages_written = (int64_t)e.pages_written;
    s->images_time = (int64_t)e.images_written;
    s->twins = e.twins;
}

static int read_stdio(const struct container *c, struct json **ret, struct error *err)
{
    _cleanup_free_ char *path = container_run_path(c, "descriptors.json");
    return js_parse_file(path, ret, err);
}

static void read_mounts(const struct container *c, struct buf *ret)
{
    _cleanup_free_ char *path = container_run_path(c, "mounts");
    if (path_exists(path) && file_read(path, ret, NULL) < 0)
        buf_clear(ret);
}

static enum unix_outside unix_policy(const char *word)
{
    return word && strcmp(word, "close") == 0       ? UNIX_OUTSIDE_CLOSE
           : word && strcmp(word, "reconnect") == 0 ? UNIX_OUTSIDE_RECONNECT
                                                    : UNIX_OUTSIDE_REFUSE;
}

static int complete(struct job *job, struct snapshot *s, struct target *t, struct dump *d,
                    const struct container_status *status, struct error *err)
{
    const struct request *q = job->request;
    int r = write_all(s, t, d, err);
    if (r == 0 && job_cancelled(job))
        r = error_kind_set(err, ERROR_CANCELLED, "the checkpoint of container %s was cancelled",
                           s->c->name);
    if (r < 0)
        return r;
    return q->options->leave_running ? go_on(s->c, q->options, d, err)
                                     : end_container(s->c, q->options, d, &status->init, err);
}

/* What a program is about to read or accept is waited for, a moment. */
static int freeze(const struct dump_options *o, struct watch *watch, struct dump **ret,
                  struct error *err)
{
    for (int left = PATIENCE;; left--) {
        int r = dump_freeze(o, ret, err);
        progress_bar_end(&watch->bar);
        watch->bar = (struct progress_bar){.what = "Checkpointing"};
        if (r == 0)
            r = dump_judge(*ret, err);
        if (r == 0 || !left || !*ret || !dump_may_pass(*ret))
            return r;
        dump_free(take_ptr(*ret));
        *err = (struct error){0};
        usleep(PAUSE_US);
    }
}

/* The container is locked and runs. */
static int checkpoint_running(struct job *job, struct container *c,
                              const struct container_status *status, struct error *err)
{
    const struct request *q = job->request;
    _cleanup_snapshot_ struct snapshot s = {
        .c = c, .options = q->options, .init = status->init.pid};
    _cleanup_json_ struct json *stdio = NULL;
    int r = snapshot_prepare(&s, err);
    if (r == 0)
        r = read_stdio(c, &stdio, err);
    _cleanup_(target_freep) struct target *t = NULL;
    if (r == 0 && !q->options->dry_run)
        r = open_target(c, q->options, &t, err);
    if (r == 0)
        r = fault("checkpoint", "it is prepared", err);
    if (r < 0)
        return r;
    struct watch watch = {.job = job};
    _cleanup_free_ char *cgroup = cgroup_freezer_directory(c, &(bool){false});
    _cleanup_buf_ struct buf filter = {0}, mounts = {0};
    read_mounts(c, &mounts);
    seccomp_filter_read(c, &filter);
    struct dump_options o = {
        .init = status->init.pid,
        .name = c->name,
        .cgroup = cgroup,
        .host_name = container_hostname(c),
        .domain_name =
            js_text(js_path(c->config, "spec", "linux", "sysctl", "kernel.domainname", NULL)),
        .runtime_filter = filter.data,
        .runtime_filter_size = filter.size,
        .mounts = mounts.data,
        .stdio = {js_text(js_at(stdio, 0)), js_text(js_at(stdio, 1)), js_text(js_at(stdio, 2))},
        .tcp_established = q->options->tcp_established,
        .tcp_close = q->options->tcp_close,
        .network_helper = network_helper(c),
        .unix_outside = unix_policy(q->options->external_unix),
        .file_locks = q->options->file_locks,
        .leave_running = q->options->leave_running,
        .memory_to_spare = cgroup_memory_to_spare(c),
        .cancelled = cancelled,
        .progress = progress,
        .waiting = waiting,
        .context = &watch,
    };
    struct dump *d = NULL;
    r = freeze(&o, &watch, &d, err);
    if (r == 0 && !q->options->dry_run)
        r = complete(job, &s, t, d, status, err);
    if (r == 0 && !q->options->dry_run)
        container_event(c, "checkpoint");
    progress_bar_end(&watch.bar);
    fill_stats(d, job->result);
    dump_free(d);
    return r;
}

static int work(struct job *job, struct error *err)
{
    const struct request *q = job->request;
    _cleanup_container_ struct container *c = NULL;
    struct container_status status;
    int r = container_lookup(job->firn, q->id, &c, err);
    if (r == 0)
        r = container_lock(c, err);
    if (r < 0)
        return r;
    r = check_state(c, q->options, &status, err);
    if (r == 0)
        r = checkpoint_running(job, c, &status, err);
    container_unlock(c);
    return r;
}

int container_checkpoint(struct firn *firn, struct container *c,
                         const struct checkpoint_options *options, struct checkpoint_stats *ret,
                         struct error *err)
{
    int64_t begin = monotonic_us();
    const struct request q = {.id = c->id, .options = options};
    struct checkpoint_stats stats = {0};
    int r = job_run(firn, work, &q, &stats, sizeof(stats), err);
    stats.duration = monotonic_us() - begin;
    if (ret)
        *ret = stats;
    return r;
}
