/* Name, scheduling policy, niceness, processor affinity, I/O priority and timer slack of a thread.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/restore.h"
#include "engine/state.h"

#define IOPRIO_WHO_PROCESS 1

static void *ask(struct look *l)
{
    size_t *slack = arena_new_of(l->dump->arena, size_t);
    *slack = batch_try(l->batch, SYS_prctl, PR_GET_TIMERSLACK);
    return slack;
}

/* As a list of processors, only when it is not all of them. */
static void take_affinity(pid_t tid, struct json *extra)
{
    cpu_set_t set, all;
    if (sched_getaffinity(tid, sizeof(set), &set) < 0 ||
        sched_getaffinity(getpid(), sizeof(all), &all) < 0 || CPU_EQUAL(&set, &all))
        return;
    struct json *list = js_array();
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            js_push(list, js_int(cpu));
    js_set(extra, "affinity", list);
}

static void take_extra(struct look *l, int64_t slack)
{
    pid_t tid = l->thread->puppet.tid;
    struct json *extra = extra_of(l->dump->extra, "threads", (uint64_t)l->thread->puppet.vtid);
    long ioprio = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);
    if (slack > 0)
        js_set(extra, "timerSlack", js_int(slack));
    if (ioprio > 0)
        js_set(extra, "ioPriority", js_int(ioprio));
    take_affinity(tid, extra);
}

static int take(struct look *l, void *asked, struct error *err)
{
    take_extra(l, batch_result(l->batch, *(size_t *)asked));
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

/* Processors that are not here (any more) are left out; none left: all. */
static void restore_affinity(struct revival *v, const struct json *list)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    JSON_FOREACH(list, i)
    {
        int64_t cpu = js_int_value(js_at(list, i));
        if (cpu >= 0 && cpu < CPU_SETSIZE)
            CPU_SET((int)cpu, &set);
    }
    if (js_count(list))
        batch_try(v->batch, SYS_sched_setaffinity, 0, sizeof(set),
                  batch_data(v->batch, &set, sizeof(set)));
}

static void restore_extra(struct revival *v)
{
    const struct json *extra =
        extra_find(v->restore->extra, "threads", (uint64_t)v->thread->puppet.vtid);
    int64_t slack = js_get_int(extra, "timerSlack", 0);
    int64_t ioprio = js_get_int(extra, "ioPriority", 0);
    if (slack > 0)
        batch_try(v->batch, SYS_prctl, PR_SET_TIMERSLACK, (uint64_t)slack);
    if (ioprio > 0)
        batch_try(v->batch, SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, (uint64_t)ioprio);
    restore_affinity(v, js_get(extra, "affinity"));
}

static int restore(struct revival *v, struct error *err)
{
    restore_extra(v);
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

const struct state_part state_scheduling = {"scheduling", ask, take, restore};
