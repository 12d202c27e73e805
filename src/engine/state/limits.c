/* Resource limits. Asked from inside: from outside prlimit(2) needs CAP_SYS_RESOURCE for a process
 * of another user, also in a user namespace. */
#include <sys/resource.h>
#include <sys/syscall.h>

#include "engine/state.h"

#define LIMITS RLIM_NLIMITS

static void *ask(struct look *l)
{
    remote_addr *at = arena_array_of(l->dump->arena, remote_addr, LIMITS);
    for (int i = 0; i < LIMITS; i++) {
        at[i] = look_room(l, struct rlimit64);
        batch_call(l->batch, "read its resource limits", SYS_prlimit64, 0, (uint64_t)i, 0, at[i]);
    }
    return at;
}

static int take(struct look *l, void *asked, struct error *err)
{
    struct arena *a = l->dump->arena;
    const remote_addr *at = asked;
    TaskRlimitsEntry *limits = arena_new_of(a, TaskRlimitsEntry);
    task_rlimits_entry__init(limits);
    limits->n_rlimits = LIMITS;
    limits->rlimits = arena_array_of(a, RlimitEntry *, LIMITS);
    for (int i = 0; i < LIMITS; i++) {
        const struct rlimit64 *lim = look_local(l, struct rlimit64, at[i]);
        RlimitEntry *e = limits->rlimits[i] = arena_new_of(a, RlimitEntry);
        rlimit_entry__init(e);
        e->cur = lim->rlim_cur;
        e->max = lim->rlim_max;
    }
    l->thread->core->tc->rlimits = limits;
    return 0;
}

static int restore(struct revival *v, struct error *err)
{
    const TaskRlimitsEntry *limits = v->thread->core->tc->rlimits;
    for (size_t i = 0; limits && i < limits->n_rlimits && i < LIMITS; i++) {
        struct rlimit64 lim = {limits->rlimits[i]->cur, limits->rlimits[i]->max};
        batch_call(v->batch,
                   "get back its resource limits (a hard limit was higher than what firn may "
                   "give: run firn with limits at least as high)",
                   SYS_prlimit64, 0, i, batch_data(v->batch, &lim, sizeof(lim)), 0);
    }
    return 0;
}

const struct state_part state_limits = {"resource limits", ask, take, restore};
