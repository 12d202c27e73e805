#include "engine/sharing.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/dump.h"

static const struct {
    int type;
    uint64_t flag;
    const char *what;
} kinds[SHARE_KINDS] = {
    [SHARE_MEMORY] = {KCMP_VM, CLONE_VM, "its memory"},
    [SHARE_FILES] = {KCMP_FILES, CLONE_FILES, "its table of descriptors"},
    [SHARE_DIRECTORIES] = {KCMP_FS, CLONE_FS, "its working directory and umask"},
    [SHARE_ACTIONS] = {KCMP_SIGHAND, CLONE_SIGHAND, "its signal actions"},
};

/* ---- who bears whom ---- */

static const struct task *owner(const struct task *t, size_t kind)
{
    return t->shared[kind] ? t->shared[kind] : t;
}

static bool can_bear(const struct task *bearer, const struct task *t)
{
    if (bearer->state == TASK_ZOMBIE || (t->session != t->vpid && t->session != bearer->session))
        return false;
    for (size_t k = 0; k < SHARE_KINDS; k++)
        if (t->shared[k] && owner(bearer, k) != t->shared[k])
            return false;
    return true;
}

static bool shares(const struct task *t)
{
    for (size_t k = 0; k < SHARE_KINDS; k++)
        if (t->shared[k])
            return true;
    return false;
}

struct task *sharing_bearer(const struct tree *tree, const struct task *t)
{
    if (!shares(t) || (t->parent_task && can_bear(t->parent_task, t)))
        return t->parent_task;
    for (size_t i = 0; t->parent_task && &tree->tasks[i] < t; i++)
        if (tree->tasks[i].parent_task == t->parent_task && can_bear(&tree->tasks[i], t))
            return &tree->tasks[i];
    return NULL;
}

bool sharing_is_sound(const struct tree *tree, const struct task *t)
{
    return !shares(t) || sharing_bearer(tree, t);
}

uint64_t sharing_flags(const struct task *bearer, const struct task *t)
{
    uint64_t flags = 0;
    for (size_t k = 0; k < SHARE_KINDS; k++)
        if (t->shared[k] && owner(bearer, k) == t->shared[k])
            flags |= kinds[k].flag;
    return flags;
}

/* ---- in a dump ---- */

/* kcmp(2) gives an order, so that sorting brings sharers together; among them that of the tree. */
static int compare_resource(const void *a, const void *b, void *type)
{
    const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;
    long order = syscall(SYS_kcmp, x->pid, y->pid, *(int *)type, 0, 0);
    return order == 1 ? -1 : order == 2 ? 1 : x < y ? -1 : x > y;
}

static void find_kind(struct task **live, size_t count, size_t kind)
{
    int type = kinds[kind].type;
    qsort_r(live, count, sizeof(*live), compare_resource, &type);
    for (size_t i = 1; i < count; i++) {
        struct task *first = (struct task *)owner(live[i - 1], kind);
        if (syscall(SYS_kcmp, first->pid, live[i]->pid, type, 0, 0) == 0)
            live[i]->shared[kind] = first;
    }
}

static void refuse(struct dump *d, const struct task *t)
{
    size_t k = 0;
    while (!t->shared[k])
        k++;
    dump_refuse(d, t,
                "shares %s with process %d (%s), which is neither its parent nor born of the same: "
                "firn cannot make that again",
                kinds[k].what, t->shared[k]->vpid, t->shared[k]->stat.comm);
}

/* unshare(2) in a thread. */
static void check_threads(struct dump *d, const struct task *t)
{
    for (size_t i = 1; i < t->thread_count; i++)
        for (size_t k = SHARE_FILES; k <= SHARE_DIRECTORIES; k++)
            if (syscall(SYS_kcmp, t->pid, t->threads[i].puppet.tid, kinds[k].type, 0, 0) > 0)
                dump_refuse(d, t, "has a thread (%d) that does not share %s with the others",
                            t->threads[i].puppet.vtid, kinds[k].what);
}

int dump_find_sharing(struct dump *d, struct error *)
{
    struct task **live = arena_array_of(d->arena, struct task *, d->tree.count);
    size_t count = 0;
    for (size_t i = 0; i < d->tree.count; i++)
        if (d->tree.tasks[i].state != TASK_ZOMBIE)
            live[count++] = &d->tree.tasks[i];
    for (size_t k = 0; k < SHARE_KINDS; k++)
        find_kind(live, count, k);
    for (size_t i = 0; i < d->tree.count; i++) {
        const struct task *t = &d->tree.tasks[i];
        check_threads(d, t);
        if (!sharing_is_sound(&d->tree, t))
            refuse(d, t);
    }
    return 0;
}
