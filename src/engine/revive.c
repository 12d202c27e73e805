/* The last part of a restore: the state of processes and threads, and their registers. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/alloc.h"
#include "engine/interrupted.h"
#include "engine/restore.h"
#include "engine/stage.h"
#include "engine/state.h"

/* Threads that are revived at the same time: while one makes its calls, the calls of the next are
 * prepared. */
#define CREW 8

struct crew {
    struct restore *restore;
    const struct state_part *const *parts;
    size_t size; /* 1 if somebody needs the whole stage, else CREW */
    size_t count;
    struct {
        struct task *task;
        struct thread *thread;
        struct batch batch;
    } members[CREW];
};

/* What is made of one part and is followed by the room that the largest may need. */
static int make_room(struct batch *b, struct error *err)
{
    if (batch_fits(b, 100, 8192))
        return 0;
    int n = batch_run(b, err);
    batch_reset(b);
    return n;
}

static int begin_parts(struct crew *c, size_t index, struct error *err)
{
    struct batch *b = &c->members[index].batch;
    struct thread *th = c->members[index].thread;
    batch_start_share(b, &th->puppet, index, c->size);
    struct revival v = {
        .restore = c->restore, .task = c->members[index].task, .thread = th, .batch = b};
    int n = 0;
    for (const struct state_part *const *p = c->parts; n == 0 && *p; p++) {
        n = (*p)->restore ? (*p)->restore(&v, err) : 0;
        if (n == 0 && p[1])
            n = make_room(b, err);
    }
    return n < 0 ? n : batch_begin(b, err);
}

static int revive_crew(struct crew *c, struct error *err)
{
    struct error second;
    int n = 0;
    size_t begun = 0;
    for (; n == 0 && begun < c->count; begun++)
        n = begin_parts(c, begun, err);
    for (size_t i = 0; i < begun; i++) {
        int e = batch_end(&c->members[i].batch, n < 0 ? &second : err);
        n = n < 0 ? n : e;
        batch_free(&c->members[i].batch);
    }
    c->count = 0;
    return n;
}

/* Filters and groups can be larger than a share of the stage. */
static bool needs_whole_stage(const struct restore *r)
{
    const SeccompEntry *filters = restore_seccomp(r);
    bool all_inherited = !filters || filters->n_seccomp_filters == r->inherited_filters;
    for (size_t i = 0; !all_inherited && i < filters->n_seccomp_filters; i++)
        if (filters->seccomp_filters[i]->filter.len > 4096)
            return true;
    for (size_t i = 0; i < r->tree.count; i++) {
        const struct task *t = &r->tree.tasks[i];
        for (size_t j = 0; t->state != TASK_ZOMBIE && j < t->thread_count; j++)
            if (t->threads[j].core->thread_core->creds->n_groups > 1024)
                return true;
    }
    return false;
}

static int add_member(struct crew *c, struct task *t, struct thread *th, struct error *err)
{
    c->members[c->count].task = t;
    c->members[c->count].thread = th;
    return ++c->count < c->size ? 0 : revive_crew(c, err);
}

static int each_thread(struct crew *c, const struct state_part *const *parts, bool leaders,
                       struct error *err)
{
    const struct tree *tree = &c->restore->tree;
    int n = 0;
    c->parts = parts;
    for (size_t i = 0; n == 0 && i < tree->count; i++) {
        struct task *t = &tree->tasks[i];
        if (t->state == TASK_ZOMBIE)
            continue;
        size_t first = !leaders && t->leader_ended;
        for (size_t j = first; n == 0 && j < (leaders ? 1 : t->thread_count); j++)
            n = add_member(c, t, &t->threads[j], err);
    }
    return n < 0 ? n : revive_crew(c, err);
}

/* What all threads of a process have before they are revived. */
static int look_at_processes(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->state == TASK_ZOMBIE)
            continue;
        int n = proc_status_read(t->pid, t->pid, &t->threads[0].status);
        if (n < 0)
            return error_errno(err, -n, "cannot look at process %d", t->vpid);
        for (size_t j = 1; j < t->thread_count; j++)
            t->threads[j].status = t->threads[0].status;
    }
    return 0;
}

/* A zombie's death has told its parent; the dump knows whether that signal was still waiting. */
static int forget_child_signals(struct revival *v, struct error *err)
{
    struct batch *b = v->batch;
    uint64_t set = 1ull << (SIGCHLD - 1);
    struct timespec now = {0};
    batch_try(b, SYS_rt_sigtimedwait, batch_data(b, &set, sizeof(set)), 0,
              batch_data(b, &now, sizeof(now)), sizeof(set));
    return 0;
}

static const struct state_part child_signals = {"signals of zombies", NULL, NULL,
                                                forget_child_signals};
static const struct state_part *const clean_state[] = {&child_signals, NULL};

int restore_states(struct restore *r, struct error *err)
{
    _cleanup_free_ struct crew *c = xmalloc(sizeof(*c));
    c->restore = r;
    c->count = 0;
    c->size = needs_whole_stage(r) ? 1 : CREW;
    int n = look_at_processes(r, err);
    if (n == 0)
        n = each_thread(c, clean_state, true, err);
    if (n == 0)
        n = each_thread(c, process_state, true, err);
    if (n == 0)
        n = each_thread(c, thread_state, false, err);
    return n < 0 ? n : each_thread(c, timer_state, true, err);
}

/* ---- interrupted system calls ---- */

enum { ERESTARTNOHAND_ = 514, ERESTART_RESTARTBLOCK_ = 516 };

/* Where the kernel has left the remaining time of an interrupted sleep, 0 if nowhere. */
static remote_addr remaining_time(const struct registers *regs)
{
    if (registers_syscall(regs) == SYS_nanosleep)
        return registers_syscall_arg(regs, 1);
    if (registers_syscall(regs) == SYS_clock_nanosleep)
        return registers_syscall_arg(regs, 3);
    return 0;
}

/* Begins the sleep anew with the rest of its time and interrupts it: then the kernel itself knows
 * how to go on with it, as restart_syscall(2) expects. */
static int sleep_again(struct puppet *p, const struct registers *regs, struct error *err)
{
    struct timespec rest;
    remote_addr from = remaining_time(regs), at = p->stage.data;
    int n = remote_read(p->process, from, &rest, sizeof(rest));
    if (n == 0)
        n = remote_write(p->process, at, &rest, sizeof(rest));
    if (n < 0)
        return error_errno(err, -n, "cannot read the remaining time of process %d", p->vtid);
    uint64_t args[6];
    for (int i = 0; i < 6; i++)
        args[i] = registers_syscall_arg(regs, i);
    args[registers_syscall(regs) == SYS_nanosleep ? 0 : 2] = at;
    struct registers call = p->saved;
    p->trapped = false;
    registers_set_call(&call, p->stage.code + executor_syscall, registers_syscall(regs), args);
    if (registers_set(p->tid, &call) < 0 || ptrace(PTRACE_SYSCALL, p->tid, 0, 0) < 0 ||
        puppet_wait(p->tid, NULL) != STOP_SYSCALL)
        return error_set(err, ESRCH, "process %d died while it was being driven", p->vtid);
    return puppet_settle(p->tid, err);
}

/* A call whose remaining time is not known begins again, late rather than early, unless a handler
 * runs first: then it fails with EINTR as it would have. */
static int prepare_restart(struct puppet *p, struct registers *regs, struct error *err)
{
    if (registers_syscall(regs) < 0 || registers_result(regs) != -ERESTART_RESTARTBLOCK_)
        return 0;
    registers_set_syscall(regs, interrupted_call(p->process, regs));
    if (remaining_time(regs))
        return sleep_again(p, regs, err);
    registers_set_result(regs, -ERESTARTNOHAND_);
    return 0;
}

/* ---- registers ---- */

/* A process that is still to come has the same memory. */
static bool stage_is_needed(const struct restore *r, const struct task *t)
{
    const struct task *owner = t->shared[SHARE_MEMORY] ? t->shared[SHARE_MEMORY] : t;
    for (const struct task *u = t + 1; u < r->tree.tasks + r->tree.count; u++)
        if (u->shared[SHARE_MEMORY] == owner)
            return true;
    return false;
}

/* A first thread that had ended ends when it is let go, and nothing can come between. */
static int end_leader(struct restore *r, struct task *t, struct error *err)
{
    struct puppet *p = &t->threads[0].puppet;
    const uint64_t args[6] = {(uint64_t)WEXITSTATUS(t->leader_status)};
    int n = stage_strike_new(p, stage_is_needed(r, t), err);
    registers_set_call(&p->saved, p->insn, SYS_exit, args);
    p->saved_mask = ~0ull;
    return n < 0 ? n : puppet_return(p, err);
}

static int restore_thread(struct restore *r, struct task *t, struct thread *th, struct error *err)
{
    struct puppet *p = &th->puppet;
    int n = thread_fpu_restore(p->tid, r->fpu, th->core, err);
    if (n == 0)
        n = prepare_restart(p, &th->registers, err);
    /* The stage goes with the last thread: until then its siblings may still need it. */
    if (n == 0 && th == &t->threads[0])
        n = stage_strike_new(p, stage_is_needed(r, t), err);
    p->saved = th->registers;
    return n < 0 ? n : puppet_return(p, err);
}

int restore_registers(struct restore *r, struct error *err)
{
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->state == TASK_ZOMBIE)
            continue;
        for (size_t j = t->thread_count; n == 0 && j-- > 0;)
            n = j == 0 && t->leader_ended ? end_leader(r, t, err)
                                          : restore_thread(r, t, &t->threads[j], err);
    }
    return n;
}
