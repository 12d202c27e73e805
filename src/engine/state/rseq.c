/* Restartable sequences: the area a thread has registered by rseq(2), which the C library does for
 * every thread. What a thread interrupted inside a critical section needs is done by
 * `rseq_leave_section` before the first remote call, which would make the kernel forget it. */
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "engine/kernel.h"
#include "engine/state.h"

static int take(struct look *l, void *asked, struct error *err)
{
    struct firn_rseq_configuration c = {0};
    long n = ptrace((enum __ptrace_request)FIRN_PTRACE_GET_RSEQ_CONFIGURATION,
                    l->thread->puppet.tid, sizeof(c), &c);
    if (n < 0)
        return error_errno(err, errno, "cannot read the rseq registration of process %d",
                           l->task->vpid);
    if (!c.pointer)
        return 0;
    RseqEntry *e = arena_new_of(l->dump->arena, RseqEntry);
    rseq_entry__init(e);
    e->rseq_abi_pointer = c.pointer;
    e->rseq_abi_size = c.size;
    e->signature = c.signature;
    l->thread->core->thread_core->rseq_entry = e;
    return 0;
}

static int restore(struct revival *v, struct error *err)
{
    const RseqEntry *e = v->thread->core->thread_core->rseq_entry;
    if (e && e->rseq_abi_pointer)
        batch_call(v->batch, "register its rseq area", SYS_rseq, e->rseq_abi_pointer,
                   e->rseq_abi_size, 0, e->signature);
    return 0;
}

const struct state_part state_rseq = {"rseq", NULL, take, restore};
