#include "engine/filter-check.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "engine/kernel.h"

/* ---- the machine, see Documentation/networking/filter.rst in the kernel ---- */

struct machine {
    const struct seccomp_data *data;
    uint32_t a, x, memory[BPF_MEMWORDS];
};

static uint32_t load(const struct machine *m, uint32_t at)
{
    uint32_t word = 0;
    if (at <= sizeof(*m->data) - sizeof(word))
        memcpy(&word, (const char *)m->data + at, sizeof(word));
    return word;
}

static uint32_t compute(uint32_t a, uint32_t b, uint16_t operation)
{
    switch (operation) {
    case BPF_ADD:
        return a + b;
    case BPF_SUB:
        return a - b;
    case BPF_MUL:
        return a * b;
    case BPF_DIV:
        return b ? a / b : 0;
    case BPF_OR:
        return a | b;
    case BPF_AND:
        return a & b;
    case BPF_XOR:
        return a ^ b;
    case BPF_LSH:
        return b < 32 ? a << b : 0;
    case BPF_RSH:
        return b < 32 ? a >> b : 0;
    default:
        return -a; /* BPF_NEG */
    }
}

static bool holds(uint32_t a, uint32_t b, uint16_t operation)
{
    return operation == BPF_JEQ   ? a == b
           : operation == BPF_JGT ? a > b
           : operation == BPF_JGE ? a >= b
                                  : a & b;
}

static void move(struct machine *m, const struct sock_filter *f)
{
    uint32_t slot = f->k % BPF_MEMWORDS;
    uint32_t loaded = BPF_MODE(f->code) == BPF_ABS   ? load(m, f->k)
                      : BPF_MODE(f->code) == BPF_MEM ? m->memory[slot]
                      : BPF_MODE(f->code) == BPF_LEN ? sizeof(*m->data)
                                                     : f->k;
    switch (BPF_CLASS(f->code)) {
    case BPF_LD:
        m->a = loaded;
        return;
    case BPF_LDX:
        m->x = loaded;
        return;
    case BPF_ST:
        m->memory[slot] = m->a;
        return;
    case BPF_STX:
        m->memory[slot] = m->x;
        return;
    case BPF_MISC:
        if (BPF_MISCOP(f->code) == BPF_TAX)
            m->x = m->a;
        else
            m->a = m->x;
        return;
    default:
        m->a = compute(m->a, BPF_SRC(f->code) == BPF_X ? m->x : f->k, BPF_OP(f->code));
    }
}

uint32_t filter_verdict(const struct sock_filter *program, size_t count, int number)
{
    const struct seccomp_data data = {.nr = number, .arch = arch_audit()};
    struct machine m = {.data = &data};
    for (size_t pc = 0; pc < count; pc++) {
        const struct sock_filter *f = &program[pc];
        if (BPF_CLASS(f->code) == BPF_RET)
            return BPF_RVAL(f->code) == BPF_A ? m.a : f->k;
        if (BPF_CLASS(f->code) != BPF_JMP)
            move(&m, f);
        else if (BPF_OP(f->code) == BPF_JA)
            pc += f->k;
        else
            pc +=
                holds(m.a, BPF_SRC(f->code) == BPF_X ? m.x : f->k, BPF_OP(f->code)) ? f->jt : f->jf;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

/* ---- what a dump needs ---- */

static const struct {
    int number;
    const char *name;
} needed[] = {
    {SYS_mmap, "mmap"},
    {SYS_mprotect, "mprotect"},
    {SYS_munmap, "munmap"},
    {SYS_brk, "brk"},
    {SYS_read, "read"},
    {SYS_write, "write"},
    {SYS_pread64, "pread64"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_close, "close"},
    {SYS_fcntl, "fcntl"},
    {SYS_ioctl, "ioctl"},
    {SYS_prctl, "prctl"},
    {SYS_rt_sigaction, "rt_sigaction"},
    {SYS_sigaltstack, "sigaltstack"},
    {SYS_getitimer, "getitimer"},
    {SYS_timer_gettime, "timer_gettime"},
    {SYS_timer_getoverrun, "timer_getoverrun"},
    {SYS_getresuid, "getresuid"},
    {SYS_getresgid, "getresgid"},
    {SYS_setfsuid, "setfsuid"},
    {SYS_setfsgid, "setfsgid"},
    {SYS_getgroups, "getgroups"},
    {SYS_prlimit64, "prlimit64"},
    {SYS_personality, "personality"},
    {SYS_membarrier, "membarrier"},
    {SYS_keyctl, "keyctl"},
    {SYS_clone, "clone"},
    {SYS_clone3, "clone3"},
    {SYS_wait4, "wait4"},
    {SYS_landlock_create_ruleset, "landlock_create_ruleset"},
    {SYS_landlock_restrict_self, "landlock_restrict_self"},
};

/* A refused call is an error like any other; these are the end of the process, or of ours. */
static bool is_fatal(uint32_t verdict)
{
    verdict &= SECCOMP_RET_ACTION_FULL;
    return verdict != SECCOMP_RET_ALLOW && verdict != SECCOMP_RET_LOG &&
           verdict != SECCOMP_RET_ERRNO && verdict != SECCOMP_RET_TRACE;
}

static int check_runtime_filter(const struct dump *d, struct error *err)
{
    const struct dump_options *o = &d->options;
    const struct sock_filter *program = o->runtime_filter;
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (is_fatal(filter_verdict(program, o->runtime_filter_size / sizeof(*program),
                                    needed[i].number)))
            return error_set(err, EPERM,
                             "the seccomp filter of container %s kills processes for %s, which the "
                             "checkpoint needs them to call; only root can suspend filters "
                             "(CAP_SYS_ADMIN in the initial user namespace)",
                             o->name, needed[i].name);
    return 0;
}

static int strict(const struct dump *d, const struct task *t, struct error *err)
{
    return error_set(err, EPERM, "process %d (%s) of container %s is in strict seccomp mode",
                     t->vpid, t->stat.comm, d->options.name);
}

static int check_thread(const struct dump *d, const struct task *t, const struct thread *th,
                        struct error *err)
{
    int count = th->status.seccomp_filters;
    if (th->status.seccomp == 0)
        return 0;
    if (th->status.seccomp == SECCOMP_MODE_STRICT)
        return strict(d, t, err);
    if (count == 1 && d->options.runtime_filter_size)
        return 0;
    return error_set(err, EPERM,
                     "process %d (%s) of container %s has %s, and only root may read those "
                     "(CAP_SYS_ADMIN in the initial user namespace)",
                     t->vpid, t->stat.comm, d->options.name,
                     count > 1 ? "installed seccomp filters of its own"
                               : "a seccomp filter that the runtime keeps no copy of");
}

/* System calls from most places become a signal, ours too. Kernels before 6.4 do not tell. */
static int check_dispatch(const struct dump *d, const struct task *t, const struct thread *th,
                          struct error *err)
{
    struct firn_dispatch_configuration c = {0};
    if (ptrace((enum __ptrace_request)FIRN_PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, th->puppet.tid,
               sizeof(c), &c) < 0 ||
        !c.mode)
        return 0;
    return error_set(err, ENOTSUP,
                     "process %d (%s) of container %s has its system calls dispatched to itself "
                     "(PR_SET_SYSCALL_USER_DISPATCH, as Wine does), which firn cannot save yet",
                     t->vpid, t->stat.comm, d->options.name);
}

int dump_check_filters(struct dump *d, struct error *err)
{
    bool any = false;
    int r = 0;
    for (size_t i = 0; i < d->tree.count; i++)
        for (size_t j = 0; r == 0 && j < d->tree.tasks[i].thread_count; j++)
            r = check_dispatch(d, &d->tree.tasks[i], &d->tree.tasks[i].threads[j], err);
    for (size_t i = 0; !d->freezer.seccomp_suspended && i < d->tree.count; i++)
        for (size_t j = 0; r == 0 && j < d->tree.tasks[i].thread_count; j++) {
            const struct task *t = &d->tree.tasks[i];
            r = check_thread(d, t, &t->threads[j], err);
            any |= t->threads[j].status.seccomp != 0;
        }
    return r == 0 && any ? check_runtime_filter(d, err) : r;
}
