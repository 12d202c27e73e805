/* Signals that wait to be delivered, with their values, and the signal masks. Pending ones are read
 * by PTRACE_PEEKSIGINFO and sent again by the process to itself, which may send any siginfo
 * (rt_sigqueueinfo(2)), while everything is blocked. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "engine/state.h"

#define PEEK 32

static int peek(struct look *l, bool shared, SignalQueueEntry **ret, struct error *err)
{
    struct arena *a = l->dump->arena;
    SignalQueueEntry *q = arena_new_of(a, SignalQueueEntry);
    signal_queue_entry__init(q);
    for (uint64_t offset = 0;;) {
        siginfo_t infos[PEEK];
        memset(infos, 0, sizeof(infos));
        struct __ptrace_peeksiginfo_args args = {
            .off = offset, .flags = shared ? PTRACE_PEEKSIGINFO_SHARED : 0, .nr = PEEK};
        long n = ptrace(PTRACE_PEEKSIGINFO, l->thread->puppet.tid, &args, infos);
        if (n < 0)
            return error_errno(err, errno, "cannot read the pending signals of process %d",
                               l->task->vpid);
        SiginfoEntry **grown = arena_array_of(a, SiginfoEntry *, q->n_signals + (size_t)n);
        if (q->n_signals)
            memcpy(grown, q->signals, q->n_signals * sizeof(*grown));
        q->signals = grown;
        for (long i = 0; i < n; i++) {
            SiginfoEntry *e = arena_new_of(a, SiginfoEntry);
            siginfo_entry__init(e);
            e->siginfo.data = arena_memdup(a, &infos[i], sizeof(infos[i]));
            e->siginfo.len = sizeof(infos[i]);
            q->signals[q->n_signals++] = e;
        }
        if (n < PEEK)
            break;
        offset += (uint64_t)n;
    }
    *ret = q;
    return 0;
}

static int take_shared(struct look *l, void *asked, struct error *err)
{
    return peek(l, true, &l->thread->core->tc->signals_s, err);
}

static int take_thread(struct look *l, void *asked, struct error *err)
{
    ThreadCoreEntry *thc = l->thread->core->thread_core;
    thc->has_blk_sigset = true;
    thc->blk_sigset = l->thread->puppet.saved_mask;
    if (l->thread->core->tc)
        l->thread->core->tc->blk_sigset = l->thread->puppet.saved_mask;
    return peek(l, false, &thc->signals_p, err);
}

static int send(struct revival *v, const SignalQueueEntry *q, long number, struct error *err)
{
    pid_t process = v->task->vpid, thread = v->thread->puppet.vtid;
    for (size_t i = 0; q && i < q->n_signals; i++) {
        siginfo_t info;
        if (q->signals[i]->siginfo.len != sizeof(info))
            return error_set(err, EINVAL,
                             "the checkpoint holds a pending signal of a wrong size for process %d",
                             process);
        memcpy(&info, q->signals[i]->siginfo.data, sizeof(info));
        if (!batch_fits(v->batch, 1, sizeof(info))) {
            int r = batch_run(v->batch, err);
            if (r < 0)
                return r;
            batch_reset(v->batch);
        }
        remote_addr at = batch_data(v->batch, &info, sizeof(info));
        uint64_t signal = (uint64_t)info.si_signo;
        if (number == SYS_rt_sigqueueinfo)
            batch_call(v->batch, "queue a pending signal", number, (uint64_t)process, signal, at);
        else
            batch_call(v->batch, "queue a pending signal", number, (uint64_t)process,
                       (uint64_t)thread, signal, at);
    }
    return 0;
}

static int restore_shared(struct revival *v, struct error *err)
{
    return send(v, v->thread->core->tc->signals_s, SYS_rt_sigqueueinfo, err);
}

static int restore_thread(struct revival *v, struct error *err)
{
    const ThreadCoreEntry *thc = v->thread->core->thread_core;
    v->thread->puppet.saved_mask = thc->has_blk_sigset   ? thc->blk_sigset
                                   : v->thread->core->tc ? v->thread->core->tc->blk_sigset
                                                         : 0;
    return send(v, thc->signals_p, SYS_rt_tgsigqueueinfo, err);
}

const struct state_part state_pending_signals = {"pending signals", NULL, take_shared,
                                                 restore_shared};
const struct state_part state_thread_signals = {"thread signals", NULL, take_thread,
                                                restore_thread};
