#include "engine/twin.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "engine/kernel.h"
#include "engine/visit.h"

/* A twin costs about as much as writing this much. */
#define WORTH_A_TWIN (64u)   /* pages */
#define WORTH_IT     (1024u) /* pages of all processes together */
/* What a fork does not give the twin is kept in our memory, up to this much of a process. */
#define KEPT_MAX (16u << 20)
/* How long a process may take to stop for the moment in which its twin is taken away. */
#define STOP_US 200000

/* ---- who gets one ---- */

static uint64_t pages_of(const struct task *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->page_range_count; i++)
        n += t->pages[i].count;
    return n;
}

static int keep_pages(struct dump *d, struct task *t, bool *ret)
{
    uint64_t size = 0;
    *ret = true;
    for (size_t i = 0; i < t->page_range_count; i++)
        size += t->pages[i].unforked ? t->pages[i].count * PAGE : 0;
    if (size > KEPT_MAX) {
        *ret = false;
        return 0;
    }
    for (size_t i = 0; i < t->page_range_count; i++) {
        struct page_range *range = &t->pages[i];
        if (!range->unforked)
            continue;
        char *copy = arena_alloc(d->arena, range->count * PAGE);
        int r = remote_read(t->pid, range->start, copy, range->count * PAGE);
        if (r < 0)
            return r;
        range->kept = copy;
    }
    return 0;
}

int twins_choose(struct dump *d, struct error *err)
{
    uint64_t all = 0;
    for (size_t i = 0; i < d->tree.count; i++)
        all += pages_of(&d->tree.tasks[i]);
    if (!d->options.leave_running || all < WORTH_IT || all * PAGE > d->options.memory_to_spare)
        return 0;
    for (size_t i = 0; i < d->tree.count; i++) {
        struct task *t = &d->tree.tasks[i];
        if (t->state == TASK_ZOMBIE || pages_of(t) < WORTH_A_TWIN)
            continue;
        int r = keep_pages(d, t, &t->wants_twin);
        if (r < 0)
            return error_errno(err, -r, "cannot read the memory of process %d", t->vpid);
    }
    return 0;
}

/* With a stack that leads nowhere: should we die before the kernel knows that the twin dies with
 * us, the twin stumbles over it. */
static int bear(struct task *t, struct batch *b, void *, struct error *err)
{
    /* clone(2), since filters that cannot look into the arguments of clone3 often forbid that. */
    const uint64_t flags = 0, stack = 32;
    size_t births = 0;
    size_t call = batch_try(b, SYS_clone, flags, stack, 0, 0, 0);
    int r = batch_run_births(b, &t->twin, 1, &births, err);
    if (r < 0)
        return r;
    t->twin_vpid = (pid_t)batch_result(b, call);
    if (t->twin_vpid < 0)
        return error_errno(err, -t->twin_vpid, "process %d cannot have a twin", t->vpid);
    if (births != 1 || puppet_wait(t->twin, NULL) == STOP_GONE)
        return error_set(err, ESRCH, "the twin of process %d died at birth", t->vpid);
    if (ptrace(PTRACE_SETOPTIONS, t->twin, 0, puppet_options | PTRACE_O_EXITKILL) < 0)
        return error_errno(err, errno, "cannot keep the twin of process %d", t->vpid);
    return 0;
}

int twins_make(struct dump *d, struct error *err)
{
    for (size_t i = 0; i < d->tree.count; i++) {
        struct task *t = &d->tree.tasks[i];
        struct error why = {0};
        if (!t->wants_twin)
            continue;
        if (task_visit(t, bear, NULL, &why) == 0) {
            d->stats.twins++;
            continue;
        }
        if (why.code == ESRCH) {
            *err = why;
            return -ESRCH;
        }
        t->wants_twin = false;
        int r = dump_write_pages(d, t, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the end ---- */

static int bury(struct task *t, struct batch *b, void *, struct error *err)
{
    batch_try(b, SYS_wait4, (uint64_t)t->twin_vpid, 0, __WCLONE | WNOHANG, 0);
    return batch_run(b, err);
}

static bool is_there(const struct task *t)
{
    struct process_stat now;
    return process_stat_read(t->process, t->process, &now) == 0 &&
           now.start_ticks == t->stat.start_ticks;
}

/* If the process is gone, or cannot be stopped now, its own end takes what is left. */
static void take_away(struct dump *d, struct task *t)
{
    pid_t tid = t->threads[0].puppet.tid;
    kill(t->twin, SIGKILL);
    while (waitpid(t->twin, NULL, __WALL) < 0 && errno == EINTR)
        ;
    t->twin = 0;
    if (!is_there(t) || (d->ended && freeze_thread(&d->freezer, tid, STOP_US) < 0))
        return;
    task_visit(t, bury, NULL, NULL);
    if (d->ended)
        ptrace(PTRACE_DETACH, tid, 0, 0);
}

void twins_end(struct dump *d)
{
    for (size_t i = 0; i < d->tree.count; i++)
        if (d->tree.tasks[i].twin > 0)
            take_away(d, &d->tree.tasks[i]);
}
