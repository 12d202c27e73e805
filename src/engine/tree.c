#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/dump.h"

static int compare_vpids(const void *a, const void *b)
{
    const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;
    return x->vpid != y->vpid ? (x->vpid < y->vpid ? -1 : 1) : x < y ? -1 : x > y;
}

static pid_t our_pid(const struct task *t)
{
    return t->process ? t->process : t->pid;
}

static int compare_our_pids(const void *a, const void *b)
{
    pid_t x = our_pid(*(struct task *const *)a), y = our_pid(*(struct task *const *)b);
    return x < y ? -1 : x > y;
}

void tree_index(struct tree *tree, struct arena *arena)
{
    tree->by_vpid = arena_array_of(arena, struct task *, tree->count);
    tree->by_pid = arena_array_of(arena, struct task *, tree->count);
    for (size_t i = 0; i < tree->count; i++)
        tree->by_vpid[i] = tree->by_pid[i] = &tree->tasks[i];
    if (tree->count)
        qsort(tree->by_vpid, tree->count, sizeof(*tree->by_vpid), compare_vpids);
    if (tree->count)
        qsort(tree->by_pid, tree->count, sizeof(*tree->by_pid), compare_our_pids);
}

/* The first of those with this number. */
struct task *tree_find(const struct tree *tree, pid_t vpid)
{
    size_t low = 0, high = tree->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (tree->by_vpid[middle]->vpid < vpid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tree->count && tree->by_vpid[low]->vpid == vpid ? tree->by_vpid[low] : NULL;
}

struct task *tree_find_pid(const struct tree *tree, pid_t pid)
{
    struct task key = {.process = pid}, *wanted = &key;
    struct task **found = tree->count ? bsearch(&wanted, tree->by_pid, tree->count,
                                                sizeof(*tree->by_pid), compare_our_pids)
                                      : NULL;
    for (size_t i = 0; !found && i < tree->count; i++)
        if (tree->tasks[i].leader_ended && tree->tasks[i].pid == pid)
            return &tree->tasks[i];
    return found ? *found : NULL;
}

void tree_link(struct tree *tree)
{
    for (size_t i = tree->count; i-- > 0;) {
        struct task *t = &tree->tasks[i];
        t->parent_task = t->parent ? tree_find(tree, t->parent) : NULL;
        if (!t->parent_task)
            continue;
        t->next_sibling = t->parent_task->first_child;
        t->parent_task->first_child = t;
    }
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
    return 1;
}

static int compare_pids(const void *a, const void *b)
{
    return *(const pid_t *)a - *(const pid_t *)b;
}

/* ---- the threads of each process ---- */

static int compare_frozen(const void *a, const void *b)
{
    const struct frozen *x = *(struct frozen *const *)a, *y = *(struct frozen *const *)b;
    return x->process != y->process ? (x->process < y->process ? -1 : 1) : x < y ? -1 : x > y;
}

/* Those that live, by process. */
struct threads {
    const struct frozen **list;
    size_t count;
};

static struct threads sort_threads(struct dump *d)
{
    struct freezer *f = &d->freezer;
    struct threads all = {arena_array_of(d->arena, const struct frozen *, f->count), 0};
    for (size_t i = 0; i < f->count; i++) {
        struct frozen *t = &f->threads[i];
        struct proc_status s;
        if (t->process == 0 && !t->gone && proc_status_read(t->tid, t->tid, &s) == 0)
            t->process = s.process;
        if (!t->gone)
            all.list[all.count++] = t;
    }
    if (all.count)
        qsort(all.list, all.count, sizeof(*all.list), compare_frozen);
    return all;
}

static struct threads threads_of(const struct threads *all, pid_t process)
{
    size_t low = 0, high = all->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (all->list[middle]->process < process)
            low = middle + 1;
        else
            high = middle;
    }
    struct threads own = {all->list + low, 0};
    while (low + own.count < all->count && own.list[own.count]->process == process)
        own.count++;
    return own;
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

static int fill_threads(struct dump *d, struct task *t, const struct threads *own,
                        struct error *err)
{
    t->threads = arena_array_of(d->arena, struct thread, own->count);
    for (size_t i = 0; i < own->count; i++) {
        const struct frozen *f = own->list[i];
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

static int fill_task(struct dump *d, pid_t pid, const struct threads *all, struct task *t,
                     struct error *err)
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
    struct threads own = threads_of(all, pid);
    if (t->stat.state == 'Z' && own.count == 0) {
        t->state = TASK_ZOMBIE;
        return 0;
    }
    return fill_threads(d, t, &own, err);
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

/* Depth first, so that parents stand before children. */
static void order(const struct task *from, struct tree *to)
{
    to->tasks[to->count++] = *from;
    for (const struct task *t = from->first_child; t; t = t->next_sibling)
        order(t, to);
}

/* Init first, then what hangs under it, then the trees of processes that came by exec. */
static void order_all(struct dump *d, const struct tree *seen)
{
    const struct task *init = tree_find_pid(seen, d->options.init);
    if (init)
        order(init, &d->tree);
    for (size_t i = 0; i < seen->count; i++)
        if (!seen->tasks[i].parent_task && &seen->tasks[i] != init)
            order(&seen->tasks[i], &d->tree);
    for (size_t i = 0; i < d->tree.count; i++)
        d->tree.tasks[i].first_child = d->tree.tasks[i].next_sibling = NULL;
    tree_index(&d->tree, d->arena);
    tree_link(&d->tree);
}

int dump_tree(struct dump *d, struct error *err)
{
    struct members m = {0};
    int r = each_member(&d->options, collect_member, &m, err);
    _cleanup_free_ pid_t *pids = m.pids;
    if (r < 0)
        return r;
    if (m.count)
        qsort(pids, m.count, sizeof(pid_t), compare_pids);
    struct threads all = sort_threads(d);
    struct task *found = arena_array_of(d->arena, struct task, m.count);
    struct tree seen = {.tasks = found, .count = m.count};
    for (size_t i = 0; i < m.count && r >= 0; i++)
        r = fill_task(d, pids[i], &all, &found[i], err);
    if (r < 0)
        return r;
    tree_index(&seen, d->arena);
    number_nested(d, &seen);
    for (size_t i = 0; i < m.count; i++) {
        const struct task *p = tree_find_pid(&seen, found[i].status.parent);
        found[i].parent = p ? p->vpid : 0;
    }
    tree_index(&seen, d->arena); /* number_nested has changed numbers */
    tree_link(&seen);
    d->tree.tasks = arena_array_of(d->arena, struct task, m.count);
    order_all(d, &seen);
    return 0;
}
