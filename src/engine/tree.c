#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/dump.h"

struct task *tree_find(const struct tree *tree, pid_t vpid)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->tasks[i].vpid == vpid)
            return &tree->tasks[i];
    return NULL;
}

struct task *tree_find_pid(const struct tree *tree, pid_t pid)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->tasks[i].pid == pid || tree->tasks[i].process == pid)
            return &tree->tasks[i];
    return NULL;
}

struct members {
    pid_t *pids;
    size_t count, room;
};

static int collect_member(pid_t pid, void *context)
{
    struct members *m = context;
    array_reserve(m->pids, m->count, m->room);
    m->pids[m->count++] = pid;
    return 0;
}

static int compare_pids(const void *a, const void *b)
{
    return *(const pid_t *)a - *(const pid_t *)b;
}

/* Sorted, each once. */
static int collect_members(struct dump *d, struct members *m, struct error *err)
{
    int r = each_member(&d->options, collect_member, m, err);
    if (r < 0)
        return r;
    qsort(m->pids, m->count, sizeof(pid_t), compare_pids);
    size_t unique = 0;
    for (size_t i = 0; i < m->count; i++)
        if (i == 0 || m->pids[i] != m->pids[i - 1])
            m->pids[unique++] = m->pids[i];
    m->count = unique;
    return 0;
}

static bool belongs(const struct frozen *f, pid_t pid)
{
    return f->process == pid && !f->gone;
}

/* The first thread has ended, others go on: one of them stands for the process. */
static int stand_in(struct dump *d, struct task *t, struct error *err)
{
    struct process_stat ended = t->stat;
    t->leader_ended = true;
    t->leader_status = ended.exit_code;
    t->pid = t->threads[0].puppet.tid;
    for (size_t i = 0; i < t->thread_count; i++)
        t->threads[i].puppet.process = t->pid;
    int r = process_stat_read(t->pid, 0, &t->stat);
    if (r < 0)
        return error_errno(err, -r, "cannot read the state of process %d", t->vpid);
    t->stat.exit_signal = ended.exit_signal;
    memcpy(t->stat.comm, ended.comm, sizeof(ended.comm));
    t->status.umask = t->threads[0].status.umask;
    return 0;
}

static int fill_threads(struct dump *d, struct task *t, struct error *err)
{
    size_t count = 0;
    for (size_t i = 0; i < d->freezer.count; i++)
        count += belongs(&d->freezer.threads[i], t->process);
    t->threads = arena_array_of(d->arena, struct thread, count);
    for (size_t i = 0; i < d->freezer.count; i++) {
        const struct frozen *f = &d->freezer.threads[i];
        if (!belongs(f, t->process))
            continue;
        struct thread *th = &t->threads[t->thread_count++];
        int r = proc_status_read(t->process, f->tid, &th->status);
        if (r < 0)
            return error_errno(err, -r, "cannot read the state of thread %d", f->tid);
        th->puppet = (struct puppet){
            .tid = f->tid,
            .vtid = th->status.vpid,
            .process = t->process,
        };
        if (f->stop_signal)
            t->state = TASK_STOPPED, t->stop_signal = f->stop_signal;
        if (f->tid == t->process && t->thread_count > 1) {
            struct thread leader = *th;
            *th = t->threads[0];
            t->threads[0] = leader;
        }
    }
    if (t->thread_count == 0)
        return error_set(err, ESRCH, "process %d (%s) of container %s ended while it was looked at",
                         t->vpid, t->stat.comm, d->options.name);
    return t->threads[0].puppet.tid == t->process ? 0 : stand_in(d, t, err);
}

static int fill_task(struct dump *d, pid_t pid, struct task *t, struct error *err)
{
    t->pid = t->process = pid;
    int r = process_stat_read(pid, 0, &t->stat);
    if (r == 0)
        r = proc_status_read(pid, pid, &t->status);
    if (r < 0)
        return error_errno(err, -r, "cannot read the state of process %d", pid);
    t->vpid = t->status.vpid;
    t->group = t->status.vgroup;
    t->session = t->status.vsession;
    if (t->stat.state == 'Z') {
        size_t live = 0;
        for (size_t i = 0; i < d->freezer.count; i++)
            live += belongs(&d->freezer.threads[i], pid);
        if (live == 0) {
            t->state = TASK_ZOMBIE;
            return 0;
        }
    }
    return fill_threads(d, t, err);
}

/* Whoever lives in a pid namespace of its own goes by its pid in the container, so that the tree is
 * one; namespaces.c refuses it. */
static void number_nested(const struct dump *d, struct tree *seen)
{
    const struct task *init = tree_find_pid(seen, d->options.init);
    for (size_t i = 0; init && i < seen->count; i++)
        if (seen->tasks[i].status.depth > init->status.depth)
            seen->tasks[i].vpid = seen->tasks[i].status.chain[init->status.depth - 1];
}

/* Depth first from `parent`, so that parents stand before children. */
static void order(const struct task *from, size_t count, pid_t parent, struct tree *to)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].parent != parent)
            continue;
        to->tasks[to->count++] = from[i];
        order(from, count, from[i].vpid, to);
    }
}

static void link_parents(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        tree->tasks[i].parent_task =
            tree->tasks[i].parent ? tree_find(tree, tree->tasks[i].parent) : NULL;
}

int dump_tree(struct dump *d, struct error *err)
{
    struct members m = {0};
    int r = collect_members(d, &m, err);
    _cleanup_free_ pid_t *pids = m.pids;
    for (size_t i = 0; r >= 0 && i < d->freezer.count; i++) {
        struct frozen *f = &d->freezer.threads[i];
        struct proc_status s;
        if (f->process == 0 && !f->gone && proc_status_read(f->tid, f->tid, &s) == 0)
            f->process = s.process;
    }
    if (r < 0)
        return r;
    struct task *found = arena_array_of(d->arena, struct task, m.count);
    struct tree seen = {.tasks = found, .count = m.count};
    for (size_t i = 0; i < m.count && r >= 0; i++)
        r = fill_task(d, pids[i], &found[i], err);
    if (r < 0)
        return r;
    number_nested(d, &seen);
    for (size_t i = 0; i < m.count; i++) {
        const struct task *p = tree_find_pid(&seen, found[i].status.parent);
        found[i].parent = p ? p->vpid : 0;
    }
    d->tree.tasks = arena_array_of(d->arena, struct task, m.count);
    /* Init first, then what hangs under it, then the trees of processes that came by exec. */
    for (size_t i = 0; i < m.count; i++)
        if (found[i].process == d->options.init) {
            d->tree.tasks[d->tree.count++] = found[i];
            order(found, m.count, found[i].vpid, &d->tree);
        }
    for (size_t i = 0; i < m.count; i++)
        if (found[i].parent == 0 && found[i].process != d->options.init) {
            d->tree.tasks[d->tree.count++] = found[i];
            order(found, m.count, found[i].vpid, &d->tree);
        }
    link_parents(&d->tree);
    return 0;
}
