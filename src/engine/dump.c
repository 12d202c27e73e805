#include "engine/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/io.h"
#include "engine/aio.h"
#include "engine/clocks.h"
#include "engine/filter-check.h"
#include "engine/host.h"
#include "engine/images.h"
#include "engine/ipc.h"
#include "engine/landlock.h"
#include "engine/mounts.h"
#include "engine/namespaces.h"
#include "engine/sharing.h"
#include "engine/twin.h"

bool dump_cancelled(const struct dump *d, struct error *err)
{
    if (!d->options.cancelled || !d->options.cancelled(d->options.context))
        return false;
    error_kind_set(err, ERROR_CANCELLED, "the checkpoint of container %s was cancelled",
                   d->options.name);
    return true;
}

int dump_refuse(struct dump *d, const struct task *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *text = xvasprintf(format, ap);
    va_end(ap);
    if (t)
        refusals_add(&d->refusals, "process %d (%s) of container %s %s", t->vpid, t->stat.comm,
                     d->options.name, text);
    else
        refusals_add(&d->refusals, "container %s %s", d->options.name, text);
    return 0;
}

int dump_refuse_error(struct dump *d, int r, struct error *err)
{
    return refusals_take(&d->refusals, r, err);
}

static int open_root(struct dump *d, struct error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root", d->options.init);
    d->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (d->root_fd < 0)
        return error_errno(err, errno, "cannot open the root directory of container %s",
                           d->options.name);
    return 0;
}

int dump_freeze(const struct dump_options *options, struct dump **ret, struct error *err)
{
    struct dump *d = xcalloc(1, sizeof(*d));
    d->options = *options;
    d->arena = arena_new();
    d->slots = look_slots_new(d->arena);
    d->fpu = fpu_layout_new(d->arena);
    d->extra = js_object();
    d->root_fd = -1;
    d->connection_guard = -1;
    d->ended = true; /* nothing to release yet */
    *ret = d;
    int r = open_root(d, err);
    if (r < 0)
        return r;
    js_set(d->extra, "host", host_describe());
    int64_t begin = monotonic_us();
    r = freeze_started(&d->options, &d->freezer, err);
    if (r < 0)
        return r;
    d->ended = false;
    d->frozen_at_us = begin;
    d->stats.freezing_time = (uint64_t)(monotonic_us() - begin);
    r = dump_tree(d, err);
    return r < 0 ? r : fault("dump", "freeze", err);
}

/* ---- the steps of a dump ---- */

static int each_task(struct dump *d, int (*step)(struct dump *, struct task *, struct error *),
                     struct error *err)
{
    for (size_t i = 0; i < d->tree.count; i++) {
        int r = step(d, &d->tree.tasks[i], err);
        if (r < 0)
            return r;
        if (dump_cancelled(d, err))
            return -ECANCELED;
    }
    return 0;
}

/* They would kill who is asked. */
static int check_filters(struct dump *d, struct error *err)
{
    int r = dump_check_filters(d, err);
    d->incomplete |= r < 0;
    return r;
}

static int look(struct dump *d, struct error *err)
{
    return each_task(d, dump_look, err);
}

static int find_pages(struct dump *d, struct error *err)
{
    int64_t begin = monotonic_us();
    int r = each_task(d, dump_find_pages, err);
    d->stats.memdump_time = (uint64_t)(monotonic_us() - begin);
    return r;
}

static int write_still(struct dump *d, struct task *t, struct error *err)
{
    return t->wants_twin ? 0 : dump_write_pages(d, t, err);
}

static int write_twin(struct dump *d, struct task *t, struct error *err)
{
    return t->twin ? dump_write_pages(d, t, err) : 0;
}

static int write_pages(struct dump *d, struct error *err)
{
    int64_t begin = monotonic_us();
    int r = each_task(d, write_still, err);
    if (r == 0)
        r = dump_write_shared_pages(d, err);
    d->stats.memwrite_time = (uint64_t)(monotonic_us() - begin);
    return r;
}

static int go_on_early(struct dump *d, struct error *err)
{
    return d->stats.twins ? dump_release(d, err) : 0;
}

static int write_twins(struct dump *d, struct error *err)
{
    int64_t begin = monotonic_us();
    int r = each_task(d, write_twin, err);
    d->stats.memwrite_time += (uint64_t)(monotonic_us() - begin);
    twins_end(d);
    return r;
}

/* When a step may run although something was refused before. */
enum step_condition {
    ALWAYS,
    IF_COMPLETE, /* it needs to know what all processes hold, or that they may be asked */
    IF_ALL_WELL, /* it is no good to the look, or not safe, otherwise */
};

struct dump_step {
    const char *name;
    int (*run)(struct dump *d, struct error *err);
    enum step_condition condition;
};

/* Whatever cannot be saved must be found here: see dump_refuse. */
static const struct dump_step judging[] = {
    {"refuse filters that bite", check_filters, ALWAYS},
    {"find what processes share", dump_find_sharing, ALWAYS},
    {"refuse namespaces made inside", dump_check_namespaces, ALWAYS},
    {"look at every process", look, IF_COMPLETE},
    {"refuse Landlock domains", dump_check_landlock, IF_COMPLETE},
    {"settle pipes that lead outside", pipe_settle_outside, IF_COMPLETE},
    {"settle terminals that lead outside", terminal_settle_outside, IF_COMPLETE},
    {"refuse sockets that lead outside", unix_sockets_settle, IF_COMPLETE},
    {"find what epoll instances watch", epoll_settle, IF_COMPLETE},
    {"find what inotify instances watch", inotify_settle, IF_COMPLETE},
    {"refuse mounts of its own", dump_check_mounts, ALWAYS},
    {"look at System V objects", dump_ipc, IF_COMPLETE},
    {"look at message queues", mqueues_look, IF_COMPLETE},
    {"hold the TCP connections", tcp_streams_hold, IF_ALL_WELL},
};

static const struct dump_step writing[] = {
    {"find the pages", find_pages},
    {"look at what waits in terminals", terminals_look},
    {"find the shared pages", dump_find_shared_pages},
    {"write the processes", images_write_tasks},
    {"write the open files", images_write_files},
    {"write the page maps", dump_write_pagemaps},
    {"write the inventory", images_write_inventory},
    {"write the clocks", clocks_write},
    {"choose who gets a twin", twins_choose},
    {"write the pages", write_pages},
    {"make twins", twins_make},
    {"look whether asynchronous I/O has ended", aio_check_idle},
    {"let those with twins go on", go_on_early},
    {"write the pages of twins", write_twins},
};

int dump_judge(struct dump *d, struct error *err)
{
    for (size_t i = 0; !d->judged && i < ARRAY_LEN(judging); i++) {
        const struct dump_step *s = &judging[i];
        if (s->condition == IF_ALL_WELL && d->refusals.count)
            continue;
        if (s->condition == IF_COMPLETE && d->incomplete)
            continue;
        int r = dump_refuse_error(d, s->run(d, err), err);
        if (r == 0)
            r = fault("dump", s->name, err);
        if (r < 0)
            return r;
    }
    d->judged = true;
    return refusals_report(&d->refusals, err, "container %s cannot be checkpointed",
                           d->options.name);
}

bool dump_may_pass(const struct dump *d)
{
    return d->passing > 0 && d->passing == d->refusals.count;
}

int dump_write(struct dump *d, struct sink *sink, struct error *err)
{
    d->sink = sink;
    int r = dump_judge(d, err);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(writing); i++) {
        r = writing[i].run(d, err);
        if (r == 0)
            r = fault("dump", writing[i].name, err);
    }
    if (r < 0)
        return r;
    d->stats.images_written = (uint64_t)(monotonic_us() - d->frozen_at_us);
    return 0;
}

/* ---- the end ---- */

static void end(struct dump *d)
{
    d->ended = true;
    d->stats.frozen_time = (uint64_t)(monotonic_us() - d->frozen_at_us);
}

int dump_release(struct dump *d, struct error *err)
{
    if (d->ended)
        return 0;
    tcp_streams_release(d);
    thaw(&d->freezer);
    end(d);
    return 0;
}

/* Whether this was the end of a thread. */
static bool buried(pid_t tid, int status)
{
    if (tid > 0 && stop_decode(status, NULL) == STOP_GONE)
        return true;
    if (tid > 0)
        ptrace(PTRACE_CONT, tid, 0, 0);
    return false;
}

static size_t bury_known(struct freezer *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++) {
        int status = 0;
        struct frozen *t = &f->threads[i];
        if (!t->gone && buried(waitpid(t->tid, &status, __WALL | WNOHANG), status))
            t->gone = true, count++;
    }
    return count;
}

/* In whatever order they come: the last thread of init dies when all others are buried. As
 * waitpid(-1) looks at every thread each time, those that are known are asked one by one. */
static void bury(struct freezer *f)
{
    size_t left = 0;
    for (size_t i = 0; i < f->count; i++)
        left += !f->threads[i].gone;
    while (left > 0) {
        int status = 0;
        size_t count = bury_known(f);
        left -= count;
        pid_t tid = count || !left ? 0 : waitpid(-1, &status, __WALL);
        if (tid < 0 && errno != EINTR)
            break;
        left -= buried(tid, status);
    }
}

/* Init last: when it dies the kernel kills the rest, but a process that came by exec may be waited
 * for by a monitor of its own and should be gone before. */
int dump_kill(struct dump *d, struct error *err)
{
    for (size_t i = d->tree.count; i-- > 0;)
        kill(d->tree.tasks[i].pid, SIGKILL);
    bury(&d->freezer);
    end(d);
    return 0;
}

void dump_stats(const struct dump *d, struct dump_stats *ret)
{
    *ret = d->stats;
    ret->tasks = (uint32_t)d->tree.count;
    ret->threads = 0;
    for (size_t i = 0; i < d->tree.count; i++)
        ret->threads += (uint32_t)d->tree.tasks[i].thread_count;
}

static void shared_memory_close(struct shared_memory *m)
{
    free(m->pages);
    if (m->fd >= 0)
        close(m->fd);
}

void dump_free(struct dump *d)
{
    if (!d)
        return;
    if (!d->ended)
        dump_release(d, NULL);
    twins_end(d);
    tcp_streams_close(d);
    freezer_free(&d->freezer);
    if (d->root_fd >= 0)
        close(d->root_fd);
    for (size_t i = 0; i < d->shared_count; i++)
        shared_memory_close(&d->shared[i]);
    free(d->files);
    free(d->descriptions);
    free(d->filters);
    free(d->shared);
    free(d->ghosts);
    free(d->remaps);
    mqueues_free(d);
    free(d->memfds);
    free(d->ipc);
    free(d->locks);
    free(d->fifos);
    free(d->pipes);
    free(d->packets);
    terminals_free(d);
    free(d->ttys);
    free(d->sought);
    free(d->rings);
    refusals_clear(&d->refusals);
    js_unref(d->extra);
    arena_free(d->arena);
    free(d);
}
