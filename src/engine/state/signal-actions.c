/* What a process does on each signal: rt_sigaction(2). */
#include <signal.h>
#include <sys/syscall.h>

#include "engine/state.h"

#define SIGNALS 64

static bool has_action(int signal)
{
    return signal != SIGKILL && signal != SIGSTOP;
}

static void *ask(struct look *l)
{
    remote_addr *at = arena_array_of(l->dump->arena, remote_addr, SIGNALS + 1);
    for (int s = 1; s <= SIGNALS; s++) {
        if (!has_action(s))
            continue;
        at[s] = look_room(l, struct kernel_sigaction);
        batch_call(l->batch, "read its signal actions", SYS_rt_sigaction, (uint64_t)s, 0, at[s], 8);
    }
    return at;
}

static int take(struct look *l, void *asked, struct error *err)
{
    struct arena *a = l->dump->arena;
    const remote_addr *at = asked;
    TaskCoreEntry *tc = l->thread->core->tc;
    tc->sigactions = arena_array_of(a, SaEntry *, SIGNALS);
    for (int s = 1; s <= SIGNALS; s++) {
        if (!has_action(s))
            continue;
        const struct kernel_sigaction *k = s == SIGTRAP
                                               ? &l->thread->puppet.stage.trap
                                               : look_local(l, struct kernel_sigaction, at[s]);
        SaEntry *e = arena_new_of(a, SaEntry);
        sa_entry__init(e);
        e->sigaction = k->handler;
        e->flags = k->flags;
        e->restorer = k->restorer;
        e->mask = k->mask;
        tc->sigactions[tc->n_sigactions++] = e;
    }
    return 0;
}

static int restore(struct revival *v, struct error *err)
{
    const TaskCoreEntry *tc = v->thread->core->tc;
    size_t i = 0;
    for (int s = 1; s <= SIGNALS && i < tc->n_sigactions; s++) {
        if (!has_action(s))
            continue;
        const SaEntry *e = tc->sigactions[i++];
        struct kernel_sigaction k = {e->sigaction, e->flags, e->restorer, e->mask};
        /* Ours while the stage stands. */
        if (s == SIGTRAP)
            v->thread->puppet.stage.trap = k;
        else if (k.handler != (uint64_t)SIG_DFL || k.flags || k.mask)
            batch_call(v->batch, "set its signal actions", SYS_rt_sigaction, (uint64_t)s,
                       batch_data(v->batch, &k, sizeof(k)), 0, 8);
    }
    return 0;
}

const struct state_part state_signal_actions = {"signal actions", ask, take, restore};
