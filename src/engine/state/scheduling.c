/* Name, scheduling policy and niceness of a thread. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "engine/state.h"

static int take(struct look *l, void *asked, struct error *err)
{
    struct process_stat s;
    ThreadCoreEntry *thc = l->thread->core->thread_core;
    int r = process_stat_read(l->task->pid, l->thread->puppet.tid, &s);
    if (r < 0)
        return error_errno(err, -r, "cannot read the state of process %d", l->task->vpid);
    thc->comm = arena_strdup(l->dump->arena, s.comm);
    thc->has_sched_nice = thc->has_sched_policy = true;
    thc->sched_nice = s.nice;
    thc->sched_policy = (uint32_t)s.policy;
    if (s.policy == SCHED_FIFO || s.policy == SCHED_RR) {
        thc->has_sched_prio = true;
        thc->sched_prio = (uint32_t)(-1 - s.priority);
    }
    if (l->thread->core->tc)
        l->thread->core->tc->comm = thc->comm;
    return 0;
}

static int restore(struct revival *v, struct error *err)
{
    const ThreadCoreEntry *thc = v->thread->core->thread_core;
    struct batch *b = v->batch;
    const char *comm = thc->comm             ? thc->comm
                       : v->thread->core->tc ? v->thread->core->tc->comm
                                             : NULL;
    if (comm)
        batch_call(b, "set its name", SYS_prctl, PR_SET_NAME, batch_string(b, comm));
    if (thc->has_sched_nice && thc->sched_nice)
        batch_call(b, "set its nice value", SYS_setpriority, PRIO_PROCESS, 0,
                   (uint64_t)(int64_t)thc->sched_nice);
    if (thc->has_sched_policy && thc->sched_policy != SCHED_OTHER) {
        struct sched_param param = {.sched_priority = (int)thc->sched_prio};
        batch_call(b, "set its scheduling policy", SYS_sched_setscheduler, 0, thc->sched_policy,
                   batch_data(b, &param, sizeof(param)));
    }
    return 0;
}

const struct state_part state_scheduling = {"scheduling", NULL, take, restore};
