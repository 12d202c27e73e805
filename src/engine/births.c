/* Making the processes: every one is born of its parent with its old pid, enters its session and
 * its group. Where a parent had died, a helper stands in and dies too. */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/extra.h"
#include "engine/hoard.h"
#include "engine/kernel.h"
#include "engine/restore.h"
#include "engine/sharing.h"
#include "engine/stage.h"

/* ---- taking over ---- */

static int wait_for_exec(struct restore *r, struct error *err)
{
    for (;;) {
        int signal = 0;
        enum stop stop = puppet_wait(r->init, &signal);
        if (stop == STOP_GONE)
            return error_set(err, ESRCH,
                             "the OCI runtime did not start the program of container %s",
                             r->options.name);
        if (stop == STOP_EXEC)
            return 0;
        if (ptrace(PTRACE_CONT, r->init, 0, stop == STOP_SIGNAL ? signal : 0) < 0)
            return error_errno(err, errno, "cannot wait for the start of container %s",
                               r->options.name);
    }
}

static int borrow(struct puppet *p, struct error *err)
{
    int n = puppet_borrow(p, err);
    return n < 0 ? n : puppet_block_signals(p, err);
}

static int take(struct restore *r, struct puppet *p, struct error *err)
{
    int n = borrow(p, err);
    struct vma_list *list = NULL;
    if (n == 0)
        n = vma_list_read_plain(p->process, &list, err);
    if (n == 0)
        n = vdso_find_syscall(p->process, list->vdso, &p->insn, err);
    vma_list_free(list);
    if (n == 0)
        n = stage_raise_new(p, r->ground, err);
    return n < 0 ? n : restore_clear(r, p, err);
}

int restore_take_init(struct restore *r, struct error *err)
{
    int n = wait_for_exec(r, err);
    r->begin_us = monotonic_us(); /* until here it was the runtime's time */
    if (n == 0)
        n = puppet_settle(r->init, err);
    if (n == 0)
        n = restore_find_ground(r, err);
    if (n < 0)
        return n;
    struct task *t = &r->tree.tasks[0];
    t->pid = r->init;
    t->threads[0].puppet = (struct puppet){.tid = r->init, .vtid = 1, .process = r->init};
    return take(r, &t->threads[0].puppet, err);
}

/* A process that we made inside the container, or that entered it, becomes a puppet. */
static int take_entered(struct restore *r, struct task *t, struct error *err)
{
    int n = enter_container(r, t, err);
    if (n == 0)
        n = take(r, &t->threads[0].puppet, err);
    if (n == 0)
        n = hoard_bring(r, t, err);
    return n < 0 ? n : nurseries_bring(r, t, err);
}

/* ---- birth and death ---- */

static int run_clone(struct puppet *parent, const struct clone_args *args, pid_t *ret,
                     struct error *err)
{
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    batch_start(b, parent);
    pid_t vpid = *(const pid_t *)args->set_tid;
    struct clone_args copy = *args;
    copy.set_tid = batch_data(b, &vpid, sizeof(vpid));
    size_t births = 0;
    size_t call = batch_try(b, SYS_clone3, batch_data(b, &copy, sizeof(copy)), sizeof(copy));
    int n = batch_run_births(b, ret, 1, &births, err);
    int64_t result = n == 0 ? batch_result(b, call) : 0;
    batch_free(b);
    if (n == 0 && result < 0)
        return error_errno(err, (int)-result, "cannot create process %d%s", vpid,
                           result == -EEXIST ? ", its pid is taken" : "");
    if (n == 0 && births != 1)
        return error_set(err, EIO, "cannot follow the birth of process %d", vpid);
    return n;
}

static int adopt(struct puppet *parent, pid_t tid, pid_t vtid, bool thread, struct puppet *child,
                 struct error *err)
{
    if (puppet_wait(tid, NULL) == STOP_GONE)
        return error_set(err, ESRCH, "process %d died at birth", vtid);
    *child = (struct puppet){
        .tid = tid,
        .vtid = vtid,
        .process = thread ? parent->process : tid,
        .insn = parent->insn,
        .stage = parent->stage,
    };
    return borrow(child, err);
}

static int bear(struct puppet *parent, pid_t vpid, uint64_t flags, int exit_signal,
                struct puppet *child, struct error *err)
{
    struct clone_args args = {
        .flags = flags,
        .exit_signal = (uint64_t)exit_signal,
        .set_tid = (uint64_t)(uintptr_t)&vpid,
        .set_tid_size = 1,
    };
    pid_t pid = 0;
    int n = run_clone(parent, &args, &pid, err);
    return n < 0 ? n : adopt(parent, pid, vpid, false, child, err);
}

int give_birth(struct restore *r, struct puppet *parent, pid_t vpid, int exit_signal,
               struct puppet *child, struct error *err)
{
    return bear(parent, vpid, 0, exit_signal, child, err);
}

static int call(struct puppet *p, struct error *err, const char *what, long number, uint64_t a,
                uint64_t b)
{
    bool failed;
    long result = puppet_call(p, &failed, err, number, a, b, 0, 0, 0, 0);
    if (failed)
        return -err->code;
    return result < 0 ? error_errno(err, (int)-result, "process %d cannot %s", p->vtid, what) : 0;
}

/* Death by a signal: no core file, and the signal does what it does to anybody. */
static void expose_to_signal(struct puppet *p, int signal, struct error *err)
{
    bool failed;
    struct kernel_sigaction dfl = {0};
    struct rlimit64 none = {0, 0};
    remote_addr at = p->stage.data;
    uint64_t nothing = 0;
    if (remote_write(p->process, at, &none, sizeof(none)) == 0)
        puppet_call(p, &failed, err, SYS_prlimit64, 0, RLIMIT_CORE, at, 0, 0, 0);
    if (remote_write(p->process, at, &dfl, sizeof(dfl)) == 0)
        puppet_call(p, &failed, err, SYS_rt_sigaction, (uint64_t)signal, at, 0, 8, 0, 0);
    ptrace(PTRACE_SETSIGMASK, p->tid, sizeof(nothing), &nothing);
}

/* Ends a puppet by its own exit or by a signal, as wait(2)'s status says. */
int let_die(struct restore *r, struct puppet *p, int status, struct error *err)
{
    struct registers regs = p->saved;
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    const uint64_t args[6] = {(uint64_t)WEXITSTATUS(status)};
    if (signal)
        expose_to_signal(p, signal, err);
    registers_set_call(&regs, p->stage.code + executor_syscall, SYS_exit_group, args);
    registers_set(p->tid, &regs);
    if (signal)
        kill(p->tid, signal);
    do {
        ptrace(PTRACE_CONT, p->tid, 0, signal);
    } while (puppet_wait(p->tid, NULL) != STOP_GONE);
    return 0;
}

/* The wait status in a core image is the kernel's exit_code. */
static int die_as_zombie(struct restore *r, struct task *t, struct error *err)
{
    struct puppet *p = &t->threads[0].puppet;
    char name[16] = "";
    strncpy(name, t->threads[0].core->tc->comm, sizeof(name) - 1);
    remote_addr at = p->stage.data;
    int n = remote_write(p->process, at, name, sizeof(name));
    if (n == 0)
        n = call(p, err, "set its name", SYS_prctl, PR_SET_NAME, at);
    return n < 0 ? n : let_die(r, p, (int)t->threads[0].core->tc->exit_code & 0xff7f, err);
}

/* Takes a helper's remains away from its parent. */
int restore_reap(struct puppet *parent, pid_t vpid, struct error *err)
{
    bool failed;
    long result =
        puppet_call(parent, &failed, err, SYS_wait4, (uint64_t)vpid, 0, __WCLONE, 0, 0, 0);
    if (failed)
        return -err->code;
    return result < 0 ? error_errno(err, (int)-result, "cannot reap process %d", vpid) : 0;
}

/* ---- sessions ---- */

/* What its parent gets at its end; SIGCHLD but for a few that clone(2) made. */
static int exit_signal_of(const struct restore *r, const struct task *t)
{
    int64_t s =
        js_get_int(extra_find(r->extra, "processes", (uint64_t)t->vpid), "exitSignal", SIGCHLD);
    return s >= 0 && s < NSIG ? (int)s : SIGCHLD;
}

/* Born of its parent, or of `helper` in its place, or of a sibling it shares something with; such a
 * one has the signal at its end from the sibling. */
static int born_into_session(struct restore *r, struct puppet *helper, struct task *t,
                             struct error *err)
{
    struct puppet *p = &t->threads[0].puppet;
    struct task *bearer = sharing_bearer(&r->tree, t);
    bool by_sibling = bearer != t->parent_task;
    struct puppet *mother = helper && !by_sibling ? helper : &bearer->threads[0].puppet;
    uint64_t flags = sharing_flags(bearer, t) | (by_sibling ? CLONE_PARENT : 0);
    int n = bear(mother, t->vpid, flags, by_sibling ? 0 : exit_signal_of(r, t), p, err);
    t->pid = p->tid;
    if (n == 0 && t->session == t->vpid)
        n = call(p, err, "start its session", SYS_setsid, 0, 0);
    return n;
}

static int make_children(struct restore *r, struct task *parent, struct error *err)
{
    for (struct task *t = parent->first_child; t; t = t->next_sibling) {
        if (t->pid)
            continue;
        const struct task *bearer = sharing_bearer(&r->tree, t);
        if (t->session != t->vpid && t->session != bearer->session)
            continue; /* an orphan of another session: later */
        if (!bearer->pid)
            continue;
        int n = born_into_session(r, NULL, t, err);
        if (n == 0)
            n = make_children(r, t, err);
        if (n < 0)
            return n;
    }
    return 0;
}

/* Children of `t`'s parent that belong to its session: born of the helper, they fall to the parent
 * when it dies. */
static int make_orphans(struct restore *r, struct puppet *helper, pid_t session,
                        struct task *parent, struct error *err)
{
    for (size_t i = 0; i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->pid || t->parent_task != parent || t->session != session ||
            !sharing_bearer(&r->tree, t)->pid)
            continue;
        int n = born_into_session(r, helper, t, err);
        if (n < 0)
            return n;
    }
    return 0;
}

/* The first pid that no process of the dump has. */
pid_t restore_free_pid(const struct restore *r)
{
    pid_t highest = 1;
    for (size_t i = 0; i < r->tree.count; i++) {
        const struct task *t = &r->tree.tasks[i];
        pid_t all[] = {t->vpid, t->group, t->session};
        for (size_t j = 0; j < ARRAY_LEN(all); j++)
            highest = all[j] > highest ? all[j] : highest;
        for (size_t j = 0; j < t->thread_count; j++)
            if (t->threads[j].puppet.vtid > highest)
                highest = t->threads[j].puppet.vtid;
    }
    return highest + 1;
}

/* An orphan is a child of init (or of whoever adopts orphans) that lives in a session it cannot
 * have been born into there. A helper in that session bears it and dies. */
static int make_orphan_family(struct restore *r, struct task *t, struct error *err)
{
    struct task *leader = tree_find(&r->tree, t->session);
    struct task *parent = t->parent_task;
    bool led = leader && leader->pid && leader->state != TASK_ZOMBIE;
    struct puppet *bearer = led ? &leader->threads[0].puppet : &parent->threads[0].puppet;
    struct puppet helper;
    pid_t vpid = led ? restore_free_pid(r) : t->session;
    int n = 0;
    if (parent != &r->tree.tasks[0])
        n = call(&parent->threads[0].puppet, err, "adopt orphans", SYS_prctl,
                 PR_SET_CHILD_SUBREAPER, 1);
    if (n == 0)
        n = give_birth(r, bearer, vpid, 0, &helper, err);
    if (n == 0 && !led)
        n = call(&helper, err, "start its session", SYS_setsid, 0, 0);
    if (n == 0)
        n = make_orphans(r, &helper, t->session, parent, err);
    if (n == 0)
        n = let_die(r, &helper, 0, err);
    return n < 0 ? n : restore_reap(bearer, vpid, err);
}

static int make_all_orphans(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->pid || !t->parent_task || !t->parent_task->pid || !sharing_bearer(&r->tree, t)->pid)
            continue;
        int n = make_orphan_family(r, t, err);
        /* They may have children of their own, or be leaders of sessions with orphans. */
        for (size_t j = 0; n == 0 && j < r->tree.count; j++)
            if (r->tree.tasks[j].pid && r->tree.tasks[j].state != TASK_ZOMBIE)
                n = make_children(r, &r->tree.tasks[j], err);
        if (n < 0)
            return n;
        i = 0;
    }
    return 0;
}

int restore_births(struct restore *r, struct error *err)
{
    int n = make_children(r, &r->tree.tasks[0], err);
    for (size_t i = 1; n == 0 && i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->parent_task)
            continue;
        n = take_entered(r, t, err);
        if (n == 0)
            n = make_children(r, t, err);
    }
    if (n == 0)
        n = make_all_orphans(r, err);
    for (size_t i = 0; n == 0 && i < r->tree.count; i++)
        if (!r->tree.tasks[i].pid)
            return error_set(err, ENOTSUP,
                             "process %d of the checkpoint cannot be made a child of %d in session "
                             "%d",
                             r->tree.tasks[i].vpid, r->tree.tasks[i].parent,
                             r->tree.tasks[i].session);
    return n;
}

/* ---- groups ---- */

static int join_group(struct task *t, struct error *err)
{
    return call(&t->threads[0].puppet, err, "join its process group", SYS_setpgid, 0,
                (uint64_t)t->group);
}

/* A group whose leader has died: a helper of that pid founds it and dies when all are in. */
static int join_orphaned_group(struct restore *r, struct task *first, struct error *err)
{
    struct puppet helper, *bearer = &first->threads[0].puppet;
    int n = give_birth(r, bearer, first->group, 0, &helper, err);
    if (n == 0)
        n = call(&helper, err, "start its process group", SYS_setpgid, 0, 0);
    for (size_t i = 0; n == 0 && i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->group == first->group && t->session == first->session)
            n = join_group(t, err);
    }
    if (n == 0)
        n = let_die(r, &helper, 0, err);
    return n < 0 ? n : restore_reap(bearer, first->group, err);
}

/* Whoever was born here is in the first group of its session. */
static bool is_joined(struct restore *r, const struct task *t)
{
    struct proc_status s;
    if (t->parent_task && t->group == t->session)
        return true;
    return proc_status_read(t->pid, t->pid, &s) == 0 && s.vgroup == t->group;
}

int restore_groups(struct restore *r, struct error *err)
{
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->group == t->vpid && t->session != t->vpid)
            n = join_group(t, err);
    }
    for (size_t i = 0; n == 0 && i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (is_joined(r, t) || !t->group)
            continue;
        const struct task *leader = tree_find(&r->tree, t->group);
        bool there = (leader && leader->session == t->session) || t->group == t->session;
        n = there ? join_group(t, err) : join_orphaned_group(r, t, err);
    }
    for (size_t i = 0; n == 0 && i < r->tree.count; i++)
        if (r->tree.tasks[i].state == TASK_ZOMBIE)
            n = die_as_zombie(r, &r->tree.tasks[i], err);
    return n;
}

/* ---- threads ---- */

#define THREAD_FLAGS                                                                               \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* How many are born at one stop of the first. */
#define BROOD 64

static int check_brood(struct batch *b, const struct thread *threads, size_t count, size_t births,
                       struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        int64_t result = batch_result(b, i);
        if (result < 0)
            return error_errno(err, (int)-result, "cannot create thread %d%s",
                               threads[i].puppet.vtid,
                               result == -EEXIST ? ", its id is taken" : "");
    }
    return births == count ? 0 : error_set(err, EIO, "cannot follow the birth of threads");
}

static int bear_threads(struct puppet *leader, struct thread *threads, size_t count,
                        struct batch *b, struct error *err)
{
    pid_t tids[BROOD] = {0};
    size_t births = 0;
    batch_reset(b);
    for (size_t i = 0; i < count; i++) {
        struct clone_args args = {
            .flags = THREAD_FLAGS,
            .set_tid = batch_data(b, &threads[i].puppet.vtid, sizeof(pid_t)),
            .set_tid_size = 1,
        };
        batch_try(b, SYS_clone3, batch_data(b, &args, sizeof(args)), sizeof(args));
    }
    int n = batch_run_births(b, tids, count, &births, err);
    if (n == 0)
        n = check_brood(b, threads, count, births, err);
    for (size_t i = 0; n == 0 && i < count; i++)
        n = adopt(leader, tids[i], threads[i].puppet.vtid, true, &threads[i].puppet, err);
    return n;
}

int restore_threads(struct restore *r, struct error *err)
{
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->state == TASK_ZOMBIE || t->thread_count < 2)
            continue;
        batch_start(b, &t->threads[0].puppet);
        for (size_t j = 1; n == 0 && j < t->thread_count; j += BROOD) {
            size_t left = t->thread_count - j;
            n = bear_threads(&t->threads[0].puppet, &t->threads[j], left < BROOD ? left : BROOD, b,
                             err);
        }
        batch_free(b);
    }
    return n;
}
