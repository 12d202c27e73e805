/* The process-wide settings of prctl(2) and their like. */
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "engine/kernel.h"
#include "engine/state.h"

#define MEMBARRIER_GET_REGISTRATIONS (1 << 9)

struct asked {
    size_t dumpable, thp, personality, membarrier, brk;
    remote_addr subreaper;
};

static void *ask(struct look *l)
{
    struct asked *a = arena_new_of(l->dump->arena, struct asked);
    struct batch *b = l->batch;
    a->subreaper = look_room(l, int);
    a->dumpable = batch_try(b, SYS_prctl, PR_GET_DUMPABLE);
    a->thp = batch_try(b, SYS_prctl, PR_GET_THP_DISABLE);
    a->personality = batch_try(b, SYS_personality, 0xffffffff);
    a->membarrier = batch_try(b, SYS_membarrier, MEMBARRIER_GET_REGISTRATIONS);
    a->brk = batch_try(b, SYS_brk, 0);
    batch_call(b, "read whether it adopts orphans", SYS_prctl, PR_GET_CHILD_SUBREAPER,
               a->subreaper);
    return a;
}

static int take(struct look *l, void *asked, struct error *err)
{
    const struct asked *a = asked;
    const struct batch *b = l->batch;
    TaskCoreEntry *tc = l->thread->core->tc;
    tc->personality = (uint32_t)batch_result(b, a->personality);
    tc->has_child_subreaper = true;
    tc->child_subreaper = *look_local(l, int, a->subreaper) != 0;
    int64_t barriers = batch_result(b, a->membarrier);
    tc->has_membarrier_registration_mask = barriers > 0;
    tc->membarrier_registration_mask = barriers > 0 ? (uint32_t)barriers : 0;
    l->task->mm->has_dumpable = true;
    l->task->mm->dumpable = (int32_t)batch_result(b, a->dumpable);
    l->task->mm->has_thp_disabled = true;
    l->task->mm->thp_disabled = batch_result(b, a->thp) > 0;
    l->task->mm->mm_brk = (uint64_t)batch_result(b, a->brk);

    char path[64], text[32];
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", l->task->pid);
    if (file_read_line(path, text, sizeof(text)) == 0) {
        tc->has_oom_score_adj = true;
        tc->oom_score_adj = atoi(text);
    }
    return 0;
}

static void restore_oom_score(const struct revival *v)
{
    char path[64], now[32] = "", want[32];
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", v->task->pid);
    snprintf(want, sizeof(want), "%d", v->thread->core->tc->oom_score_adj);
    /* Lowering it may be refused; the runtime has already given the container's own value. */
    if (file_read_line(path, now, sizeof(now)) == 0 && strcmp(now, want) != 0)
        file_write_existing(path, want);
}

static int restore(struct revival *v, struct error *err)
{
    const TaskCoreEntry *tc = v->thread->core->tc;
    struct batch *b = v->batch;
    batch_call(b, "set its personality", SYS_personality, tc->personality);
    /* Whoever has got orphans back is one until here. */
    batch_call(b, "adopt orphans", SYS_prctl, PR_SET_CHILD_SUBREAPER, tc->child_subreaper);
    if (v->task->mm && v->task->mm->thp_disabled)
        batch_call(b, "switch off huge pages", SYS_prctl, PR_SET_THP_DISABLE, 1, 0, 0, 0);
    for (uint32_t bit = 1; bit && bit <= tc->membarrier_registration_mask; bit <<= 1)
        if (tc->membarrier_registration_mask & bit)
            batch_try(b, SYS_membarrier, bit, 0, 0);
    if (tc->has_oom_score_adj)
        restore_oom_score(v);
    return 0;
}

const struct state_part state_attributes = {"attributes", ask, take, restore};
