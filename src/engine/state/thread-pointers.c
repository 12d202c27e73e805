/* Addresses a thread has registered with the kernel: clear_child_tid (set_tid_address(2)), the list
 * of robust futexes (set_robust_list(2)), the alternate signal stack (sigaltstack(2)). */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/state.h"

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

struct asked {
    remote_addr stack, tid_address;
    size_t has_tid_address;
};

struct kernel_stack {
    uint64_t sp;
    int32_t flags;
    uint64_t size;
};

static void *ask(struct look *l)
{
    struct asked *a = arena_new_of(l->dump->arena, struct asked);
    a->stack = look_room(l, struct kernel_stack);
    batch_call(l->batch, "read its alternate stack", SYS_sigaltstack, 0, a->stack);
    a->tid_address = look_room(l, uint64_t);
    a->has_tid_address = batch_try(l->batch, SYS_prctl, PR_GET_TID_ADDRESS, a->tid_address);
    return a;
}

static int take(struct look *l, void *asked, struct error *err)
{
    const struct asked *a = asked;
    ThreadCoreEntry *thc = l->thread->core->thread_core;
    const struct kernel_stack *stack = look_local(l, struct kernel_stack, a->stack);
    ThreadSasEntry *sas = arena_new_of(l->dump->arena, ThreadSasEntry);
    thread_sas_entry__init(sas);
    sas->ss_sp = stack->sp;
    sas->ss_size = stack->size;
    sas->ss_flags = (uint32_t)stack->flags;
    thc->sas = sas;
    if (batch_result(l->batch, a->has_tid_address) == 0)
        thread_info_set_tid_address(l->thread->core, *look_local(l, uint64_t, a->tid_address));
    void *head = NULL;
    size_t length = 0;
    if (syscall(SYS_get_robust_list, l->thread->puppet.tid, &head, &length) < 0)
        return error_errno(err, errno, "cannot read the robust futex list of process %d",
                           l->task->vpid);
    thc->futex_rla = (uint64_t)head;
    thc->futex_rla_len = (uint32_t)length;
    return 0;
}

static int restore(struct revival *v, struct error *err)
{
    const ThreadCoreEntry *thc = v->thread->core->thread_core;
    batch_call(v->batch, "set its thread id address", SYS_set_tid_address,
               thread_info_tid_address(v->thread->core));
    if (thc->futex_rla_len)
        batch_call(v->batch, "set its robust futex list", SYS_set_robust_list, thc->futex_rla,
                   thc->futex_rla_len);
    if (thc->sas && !(thc->sas->ss_flags & SS_DISABLE)) {
        struct kernel_stack stack = {thc->sas->ss_sp, (int)(thc->sas->ss_flags & ~SS_ONSTACK),
                                     thc->sas->ss_size};
        batch_call(v->batch, "set its alternate stack", SYS_sigaltstack,
                   batch_data(v->batch, &stack, sizeof(stack)), 0);
    }
    return 0;
}

const struct state_part state_thread_pointers = {"thread pointers", ask, take, restore};
