#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/kernel.h"
#include "engine/stage.h"
#include "engine/state.h"

#define PARTS_MAX 16

/* A thread that was interrupted inside a restartable sequence continues at the abort handler, as
 * if it had been preempted: after our first remote call the kernel would no longer know. */
static int rseq_leave_section(struct puppet *p, struct error *err)
{
    struct firn_rseq_configuration c = {0};
    struct {
        uint32_t version, flags;
        uint64_t start, length, abort;
    } section;
    uint64_t pointer = 0;
    if (ptrace((enum __ptrace_request)FIRN_PTRACE_GET_RSEQ_CONFIGURATION, p->tid, sizeof(c), &c) <
            0 ||
        !c.pointer)
        return 0;
    if (remote_read(p->process, c.pointer + 8, &pointer, sizeof(pointer)) < 0 || !pointer)
        return 0;
    if (remote_read(p->process, pointer, &section, sizeof(section)) < 0)
        return error_set(err, EFAULT, "process %d has a broken restartable sequence", p->vtid);
    uint64_t ip = registers_ip(&p->saved);
    if (ip >= section.start && ip < section.start + section.length)
        registers_set_ip(&p->saved, section.abort);
    return 0;
}

static CoreEntry *new_core(struct dump *d, bool leader)
{
    CoreEntry *core = arena_new_of(d->arena, CoreEntry);
    core_entry__init(core);
    core->thread_core = arena_new_of(d->arena, ThreadCoreEntry);
    thread_core_entry__init(core->thread_core);
    if (leader) {
        core->tc = arena_new_of(d->arena, TaskCoreEntry);
        task_core_entry__init(core->tc);
        core->tc->comm = (char *)"";
    }
    return core;
}

static int run_parts(struct look *l, const struct state_part *const *tables[], size_t table_count,
                     struct error *err)
{
    void *asked[PARTS_MAX] = {0};
    size_t n = 0;
    for (size_t t = 0; t < table_count; t++)
        for (const struct state_part *const *p = tables[t]; *p; p++, n++)
            if ((*p)->ask)
                asked[n] = (*p)->ask(l);
    int r = batch_run(l->batch, err);
    n = 0;
    for (size_t t = 0; t < table_count; t++)
        for (const struct state_part *const *p = tables[t]; r == 0 && *p; p++, n++)
            if ((*p)->take)
                r = dump_refuse_error(l->dump, (*p)->take(l, asked[n], err), err);
    return r;
}

static int look_at_thread(struct dump *d, struct task *t, struct thread *th, struct error *err)
{
    bool leader = th == &t->threads[0];
    th->core = new_core(d, leader);
    int r = thread_info_dump(th->puppet.tid, &th->puppet.saved, d->fpu, d->arena, th->core, err);
    if (r < 0)
        return error_wrap(err, "process %d of container %s", t->vpid, d->options.name);
    struct batch *b = d->batch;
    batch_start(b, &th->puppet);
    struct look l = {.dump = d, .task = t, .thread = th, .batch = b};
    const struct state_part *const *tables[] = {thread_state, process_state, timer_state};
    r = run_parts(&l, tables, leader ? 3 : 1, err);
    batch_free(b);
    return r;
}

static int look_at_threads(struct dump *d, struct task *t, struct error *err)
{
    struct puppet *leader = &t->threads[0].puppet;
    int r = stage_raise(leader, t->vdso_end, t->thread_count == 1, err);
    for (size_t i = 0; r == 0 && i < t->thread_count; i++) {
        struct puppet *p = &t->threads[i].puppet;
        p->insn = leader->insn;
        p->stage = leader->stage;
        if (i > 0)
            r = puppet_borrow(p, err);
        if (r == 0 && i > 0)
            r = rseq_leave_section(p, err);
        if (r == 0 && i > 0)
            r = stage_enter(p, err);
        if (r == 0)
            r = look_at_thread(d, t, &t->threads[i], err);
        /* A dead batch leaves the thread borrowed: give it back whatever happened. */
        struct error second;
        int back = i > 0 ? puppet_return(p, r == 0 ? err : &second) : 0;
        r = r < 0 ? r : back;
    }
    return r;
}

static void fill_task_core(struct task *t)
{
    TaskCoreEntry *tc = t->threads[0].core->tc;
    tc->task_state = t->state == TASK_STOPPED ? 3 : 1;
    tc->exit_code = 0;
    tc->has_stop_signo = t->state == TASK_STOPPED;
    tc->stop_signo = (uint32_t)t->stop_signal;
}

/* What only the process itself can be asked. */
static int look_inside(struct dump *d, struct task *t, struct error *err)
{
    struct puppet *leader = &t->threads[0].puppet;
    int r = puppet_borrow(leader, err);
    if (r == 0)
        r = rseq_leave_section(leader, err);
    if (r == 0)
        r = look_at_threads(d, t, err);
    /* Whatever happened, the process gets back what it had. */
    struct error second;
    int strike = leader->borrowed ? stage_strike(leader, r == 0 ? err : &second) : 0;
    int back = puppet_return(leader, r == 0 && strike == 0 ? err : &second);
    if (r == 0)
        r = strike < 0 ? strike : back;
    if (r == 0)
        fill_task_core(t);
    return r;
}

int dump_look(struct dump *d, struct task *t, struct error *err)
{
    if (t->state == TASK_ZOMBIE)
        return 0;
    t->mm = arena_new_of(d->arena, MmEntry);
    mm_entry__init(t->mm);
    int r = dump_memory_map(d, t, err);
    if (r == 0)
        r = look_inside(d, t, err);
    r = dump_refuse_error(d, r, err);
    if (r < 0)
        return r;
    r = dump_descriptors(d, t, err);
    d->incomplete |= r < 0;
    return dump_refuse_error(d, r, err);
}
