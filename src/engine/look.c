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

#define PARTS_MAX 24
/* How many threads of a process are asked at the same time. */
#define LOOK_SLOTS 8

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

/* A thread that is being asked. */
struct look_slot {
    struct batch batch;
    struct look look;
    void *asked[PARTS_MAX];
};

struct look_slot *look_slots_new(struct arena *arena)
{
    return arena_array_of(arena, struct look_slot, LOOK_SLOTS);
}

/* What is asked of a first thread, and of others. */
static const struct state_part *const *const all_tables[] = {thread_state, process_state,
                                                             timer_state};
#define FIRST_THREAD   ARRAY_LEN(all_tables)
#define FURTHER_THREAD 1

static int begin_look(struct look_slot *s, size_t tables, struct error *err)
{
    struct look *l = &s->look;
    struct thread *th = l->thread;
    th->core = new_core(l->dump, th == &l->task->threads[0]);
    int r = thread_info_dump(th->puppet.tid, &th->puppet.saved, l->dump->fpu, l->dump->arena,
                             th->core, err);
    if (r < 0)
        return error_wrap(err, "process %d of container %s", l->task->vpid, l->dump->options.name);
    size_t n = 0;
    for (size_t t = 0; t < tables; t++)
        for (const struct state_part *const *p = all_tables[t]; *p; p++, n++)
            if ((*p)->ask)
                s->asked[n] = (*p)->ask(l);
    return batch_begin(l->batch, err);
}

static int end_look(struct look_slot *s, size_t tables, struct error *err)
{
    struct look *l = &s->look;
    int r = batch_end(l->batch, err);
    size_t n = 0;
    for (size_t t = 0; t < tables; t++)
        for (const struct state_part *const *p = all_tables[t]; r == 0 && *p; p++, n++)
            if ((*p)->take)
                r = dump_refuse_error(l->dump, (*p)->take(l, s->asked[n], err), err);
    return r;
}

static void prepare(struct look_slot *s, struct dump *d, struct task *t, struct thread *th,
                    size_t share, size_t shares)
{
    th->puppet.insn = t->threads[0].puppet.insn;
    th->puppet.stage = t->threads[0].puppet.stage;
    batch_start_share(&s->batch, &th->puppet, share, shares);
    s->look = (struct look){.dump = d, .task = t, .thread = th, .batch = &s->batch};
}

static int look_at_leader(struct dump *d, struct task *t, struct error *err)
{
    struct look_slot *s = &d->slots[0];
    prepare(s, d, t, &t->threads[0], 0, 1);
    int r = begin_look(s, FIRST_THREAD, err);
    if (r == 0)
        r = end_look(s, FIRST_THREAD, err);
    batch_free(&s->batch);
    return r;
}

static int borrow_further(struct puppet *p, struct error *err)
{
    int r = puppet_borrow(p, err);
    if (r == 0)
        r = rseq_leave_section(p, err);
    return r < 0 ? r : stage_enter(p, err);
}

/* While one answers, the next is asked. Whatever happens, all get back what they had. */
static int look_at_crew(struct dump *d, struct task *t, size_t first, size_t count,
                        struct error *err)
{
    struct error second;
    struct thread *crew = &t->threads[first];
    int r = 0, e;
    for (size_t i = 0; i < count; i++) {
        prepare(&d->slots[i], d, t, &crew[i], i, LOOK_SLOTS);
        r = r < 0 ? r : borrow_further(&crew[i].puppet, err);
        r = r < 0 ? r : begin_look(&d->slots[i], FURTHER_THREAD, err);
    }
    for (size_t i = 0; i < count; i++) {
        struct look_slot *s = &d->slots[i];
        e = r < 0 ? batch_end(&s->batch, &second) : end_look(s, FURTHER_THREAD, err);
        r = r < 0 ? r : e;
        batch_free(&s->batch);
    }
    for (size_t i = 0; i < count; i++)
        if ((e = puppet_return_begin(&crew[i].puppet, r < 0 ? &second : err)) < 0)
            r = r < 0 ? r : e;
    for (size_t i = 0; i < count; i++)
        if ((e = puppet_return_end(&crew[i].puppet, r < 0 ? &second : err)) < 0)
            r = r < 0 ? r : e;
    return r;
}

static int look_at_threads(struct dump *d, struct task *t, struct error *err)
{
    int r = stage_raise(&t->threads[0].puppet, t->vdso_end, t->thread_count == 1, err);
    if (r == 0)
        r = look_at_leader(d, t, err);
    for (size_t i = 1; r == 0 && i < t->thread_count; i += LOOK_SLOTS) {
        size_t left = t->thread_count - i;
        r = look_at_crew(d, t, i, left < LOOK_SLOTS ? left : LOOK_SLOTS, err);
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
