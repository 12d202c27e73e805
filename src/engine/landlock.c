#include "engine/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/dump.h"
#include "engine/visit.h"

#define DOMAINS_MAX 16 /* LANDLOCK_MAX_NUM_LAYERS */

struct probe {
    struct puppet puppet;
    bool suspended; /* seccomp filters are */
    bool found;
};

static bool kernel_has_it(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

bool landlock_is_likely(const struct proc_status *s)
{
    return s->no_new_privs;
}

static bool may_have(const struct task *t)
{
    return t->state != TASK_ZOMBIE && landlock_is_likely(&t->threads[0].status);
}

/* A stack that leads nowhere, and death with us: it never runs anything of the program. */
static int bear(struct probe *p, struct batch *b, struct error *err)
{
    struct clone_args args = {.flags = CLONE_VM, .stack = 16, .stack_size = 16};
    size_t births = 0;
    pid_t tid = 0;
    size_t call = batch_try(b, SYS_clone3, batch_data(b, &args, sizeof(args)), sizeof(args));
    int r = batch_run_births(b, &tid, 1, &births, err);
    if (r < 0 || births != 1)
        return r;
    const struct puppet *mother = b->puppet;
    p->puppet = (struct puppet){.tid = tid,
                                .vtid = (pid_t)batch_result(b, call),
                                .process = tid,
                                .insn = mother->insn,
                                .stage = mother->stage};
    unsigned long options =
        puppet_options | PTRACE_O_EXITKILL | (p->suspended ? PTRACE_O_SUSPEND_SECCOMP : 0);
    if (puppet_wait(tid, NULL) == STOP_GONE || ptrace(PTRACE_SETOPTIONS, tid, 0, options) < 0)
        return error_set(err, ESRCH, "process %d died at birth", p->puppet.vtid);
    return 0;
}

static int restrict_it(struct probe *p, struct error *err)
{
    const struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    batch_start(b, &p->puppet);
    size_t call = batch_try(b, SYS_landlock_create_ruleset,
                            batch_data(b, &attr, sizeof(attr.handled_access_fs)),
                            sizeof(attr.handled_access_fs), 0);
    int r = batch_run(b, err);
    int64_t fd = r == 0 ? batch_result(b, call) : -1;
    batch_reset(b);
    size_t last = 0;
    for (int i = 0; fd >= 0 && i < DOMAINS_MAX; i++)
        last = batch_try(b, SYS_landlock_restrict_self, (uint64_t)fd, 0);
    if (r == 0)
        r = batch_run(b, err);
    p->found = r == 0 && fd >= 0 && batch_result(b, last) == -E2BIG;
    batch_free(b);
    return r;
}

static int bury(struct probe *p, struct batch *b, struct error *err)
{
    kill(p->puppet.tid, SIGKILL);
    while (waitpid(p->puppet.tid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    batch_reset(b);
    batch_try(b, SYS_wait4, (uint64_t)p->puppet.vtid, 0, __WCLONE, 0);
    return batch_run(b, err);
}

static int probe(struct task *t, struct batch *b, void *context, struct error *err)
{
    struct probe *p = context;
    int r = bear(p, b, err);
    if (!p->puppet.tid)
        return r;
    struct error second;
    if (r == 0)
        r = puppet_borrow(&p->puppet, err);
    if (r == 0)
        r = puppet_block_signals(&p->puppet, err);
    if (r == 0)
        r = restrict_it(p, err);
    int end = bury(p, b, r == 0 ? err : &second);
    return r < 0 ? r : end;
}

int dump_check_landlock(struct dump *d, struct error *err)
{
    if (!kernel_has_it())
        return 0;
    for (size_t i = 0; i < d->tree.count; i++) {
        struct task *t = &d->tree.tasks[i];
        struct probe p = {.suspended = d->freezer.seccomp_suspended};
        int r = may_have(t) ? task_visit(t, probe, &p, err) : 0;
        if (r < 0)
            return r;
        if (p.found)
            dump_refuse(d, t, LANDLOCK_REASON);
    }
    return 0;
}
