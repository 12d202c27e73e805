/* ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF: getitimer(2). */
#include <sys/syscall.h>
#include <sys/time.h>

#include "engine/state.h"

static void *ask(struct look *l)
{
    remote_addr *at = arena_array_of(l->dump->arena, remote_addr, 3);
    for (uint64_t i = 0; i < 3; i++) {
        at[i] = look_room(l, struct itimerval);
        batch_call(l->batch, "read its interval timers", SYS_getitimer, i, at[i]);
    }
    return at;
}

static ItimerEntry *entry(struct look *l, remote_addr at)
{
    const struct itimerval *t = look_local(l, struct itimerval, at);
    ItimerEntry *e = arena_new_of(l->dump->arena, ItimerEntry);
    itimer_entry__init(e);
    e->isec = (uint64_t)t->it_interval.tv_sec, e->iusec = (uint64_t)t->it_interval.tv_usec;
    e->vsec = (uint64_t)t->it_value.tv_sec, e->vusec = (uint64_t)t->it_value.tv_usec;
    return e;
}

static int take(struct look *l, void *asked, struct error *err)
{
    const remote_addr *at = asked;
    TaskTimersEntry *timers = arena_new_of(l->dump->arena, TaskTimersEntry);
    task_timers_entry__init(timers);
    timers->real = entry(l, at[0]);
    timers->virt = entry(l, at[1]);
    timers->prof = entry(l, at[2]);
    l->thread->core->tc->timers = timers;
    return 0;
}

static void set(struct revival *v, uint64_t which, const ItimerEntry *e)
{
    if (!e || !(e->isec || e->iusec || e->vsec || e->vusec))
        return;
    struct itimerval t = {
        .it_interval = {(time_t)e->isec, (suseconds_t)e->iusec},
        .it_value = {(time_t)e->vsec, (suseconds_t)e->vusec},
    };
    /* A periodic timer whose signal is pending reads as zero: its next round is one interval on. */
    if (!e->vsec && !e->vusec)
        t.it_value = t.it_interval;
    batch_call(v->batch, "set its interval timers", SYS_setitimer, which,
               batch_data(v->batch, &t, sizeof(t)), 0);
}

static int restore(struct revival *v, struct error *err)
{
    const TaskTimersEntry *timers = v->thread->core->tc->timers;
    if (timers) {
        set(v, ITIMER_REAL, timers->real);
        set(v, ITIMER_VIRTUAL, timers->virt);
        set(v, ITIMER_PROF, timers->prof);
    }
    return 0;
}

const struct state_part state_interval_timers = {"interval timers", ask, take, restore};
