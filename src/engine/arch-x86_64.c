#include "engine/arch.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "engine/kernel.h"

/* rbx walks the calls (64 bytes each: number, six arguments, result), r12 counts them down.
 * Bit 63 of the number says that a failure of this call does not end the batch. No stack is used,
 * so the puppet's stack pointer may be anything. The trap is repeated: a first one that
 * a tracer has seen before it died is lost.
 *
 * The rescue gets r14 = struct rescue and rdx = the ucontext of the signal frame: if the thread is
 * alone it gives SIGTRAP its old action back and unmaps the stage; it copies registers (40 bytes
 * into the ucontext) and mask (296), and returns from the signal. */
__asm__(".pushsection .rodata\n"
        ".globl executor_code, executor_code_end\n"
        "executor_code:\n"
        "1: test %r12, %r12\n"
        "   jz 3f\n"
        "   mov (%rbx), %r13\n"
        "   mov %r13, %rax\n"
        "   btr $63, %rax\n"
        "   mov 8(%rbx), %rdi\n"
        "   mov 16(%rbx), %rsi\n"
        "   mov 24(%rbx), %rdx\n"
        "   mov 32(%rbx), %r10\n"
        "   mov 40(%rbx), %r8\n"
        "   mov 48(%rbx), %r9\n"
        ".globl executor_syscall_insn\n"
        "executor_syscall_insn:\n"
        "   syscall\n"
        "   mov %rax, 56(%rbx)\n"
        "   test %r13, %r13\n"
        "   js 2f\n"
        "   cmp $-4095, %rax\n"
        "   jae 3f\n"
        "2: add $64, %rbx\n"
        "   dec %r12\n"
        "   jmp 1b\n"
        "3: int3\n"
        "   jmp 3b\n"
        "executor_rescue_entry:\n"
        "   mov %rdx, %r15\n"
        "   cmpq $0, 184(%r14)\n"
        "   je 5f\n"
        "   lea 152(%r14), %rsi\n"
        "   mov $13, %eax\n"
        "   mov $5, %edi\n"
        "   xor %edx, %edx\n"
        "   mov $8, %r10d\n"
        "   syscall\n"
        "   mov 192(%r14), %rdi\n"
        "   mov 200(%r14), %rsi\n"
        "   mov $11, %eax\n"
        "   syscall\n"
        "5: xor %ecx, %ecx\n"
        "4: mov (%r14,%rcx,8), %rax\n"
        "   mov %rax, 40(%r15,%rcx,8)\n"
        "   inc %ecx\n"
        "   cmp $18, %ecx\n"
        "   jb 4b\n"
        "   mov 144(%r14), %rax\n"
        "   mov %rax, 296(%r15)\n"
        "   mov %r15, %rsp\n"
        "   mov $15, %eax\n"
        "   syscall\n"
        "executor_code_end:\n"
        ".globl executor_syscall, executor_rescue\n"
        ".balign 8\n"
        "executor_rescue: .quad executor_rescue_entry - executor_code\n"
        "executor_syscall: .quad executor_syscall_insn - executor_code\n"
        ".popsection\n");

uint32_t arch_audit(void)
{
    return AUDIT_ARCH_X86_64;
}

int registers_get(pid_t tid, struct registers *ret)
{
    struct iovec iov = {&ret->gpr, sizeof(ret->gpr)};
    return ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

int registers_set(pid_t tid, const struct registers *r)
{
    struct iovec iov = {(void *)&r->gpr, sizeof(r->gpr)};
    return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

void registers_set_call(struct registers *r, remote_addr at, long number, const uint64_t args[6])
{
    r->gpr.rip = at;
    r->gpr.rax = (uint64_t)number;
    r->gpr.orig_rax = (uint64_t)-1;
    r->gpr.rdi = args[0], r->gpr.rsi = args[1], r->gpr.rdx = args[2];
    r->gpr.r10 = args[3], r->gpr.r8 = args[4], r->gpr.r9 = args[5];
}

long registers_result(const struct registers *r)
{
    return (long)r->gpr.rax;
}

remote_addr registers_ip(const struct registers *r)
{
    return r->gpr.rip;
}

void registers_set_ip(struct registers *r, remote_addr ip)
{
    r->gpr.rip = ip;
}

long registers_syscall(const struct registers *r)
{
    return (long)r->gpr.orig_rax;
}

uint64_t registers_syscall_arg(const struct registers *r, int index)
{
    const uint64_t args[] = {r->gpr.rdi, r->gpr.rsi, r->gpr.rdx, r->gpr.r10, r->gpr.r8, r->gpr.r9};
    return args[index];
}

void registers_set_syscall(struct registers *r, long number)
{
    r->gpr.orig_rax = (uint64_t)number;
}

void registers_set_result(struct registers *r, long result)
{
    r->gpr.rax = (uint64_t)result;
}

void registers_set_executor_end(struct registers *r, remote_addr calls, remote_addr rescue)
{
    r->gpr.rbx = calls;
    r->gpr.r12 = 1;
    r->gpr.r13 = 1ull << 63;
    r->gpr.r14 = rescue;
    r->gpr.rsp = rescue ? rescue : r->gpr.rsp;
}

#define SA_RESTORER_FLAG 0x04000000ull

struct kernel_sigaction rescue_action(remote_addr code)
{
    return (struct kernel_sigaction){
        .handler = code + executor_rescue,
        .flags = SA_SIGINFO | SA_NODEFER | SA_RESTORER_FLAG,
        .restorer = code + executor_rescue, /* never returned to */
    };
}

void registers_restart(struct registers *r)
{
    int64_t result = (int64_t)r->gpr.rax;
    bool interrupted = result == -512 || result == -513 || result == -514 || result == -516;
    if ((int64_t)r->gpr.orig_rax >= 0 && interrupted) {
        r->gpr.rax = r->gpr.orig_rax;
        r->gpr.rip -= 2;
    }
    r->gpr.orig_rax = (uint64_t)-1;
}

bool registers_in_sleep(const struct registers *r)
{
    return (int64_t)r->gpr.orig_rax >= 0 && (int64_t)r->gpr.rax == -516;
}

#define RED_ZONE 128

remote_addr registers_stack_room(const struct registers *r, size_t size)
{
    return (r->gpr.rsp - RED_ZONE - size) & ~63ull;
}

void rescue_fill(struct rescue *rescue, const struct registers *r, uint64_t mask)
{
    struct registers restarted = *r;
    registers_restart(&restarted);
    const struct user_regs_struct *g = &restarted.gpr;
    /* In the order of struct sigcontext. */
    const uint64_t registers[RESCUE_REGISTERS] = {
        g->r8,  g->r9,  g->r10, g->r11, g->r12, g->r13, g->r14, g->r15, g->rdi,
        g->rsi, g->rbp, g->rbx, g->rdx, g->rax, g->rcx, g->rsp, g->rip, g->eflags,
    };
    memcpy(rescue->registers, registers, sizeof(registers));
    rescue->mask = mask;
}

void registers_set_executor(struct registers *r, remote_addr code, remote_addr calls,
                            uint64_t count, remote_addr rescue)
{
    r->gpr.rip = code;
    r->gpr.rbx = calls;
    r->gpr.r12 = count;
    r->gpr.r14 = rescue;
    r->gpr.rsp = rescue ? rescue : r->gpr.rsp;
    r->gpr.orig_rax = (uint64_t)-1;
    r->gpr.rax = 0;
    r->gpr.eflags &= ~0x100ull; /* no trap flag */
}

uint64_t registers_executor_left(const struct registers *r)
{
    return r->gpr.r12;
}

ssize_t find_syscall(const uint8_t *code, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++)
        if (code[i] == 0x0f && code[i + 1] == 0x05)
            return (ssize_t)i;
    return -1;
}

/* ---- extended state: the layout of the XSAVE area, Intel SDM vol. 1 chapter 13 ---- */

enum xfeature {
    XF_FP = 0,
    XF_SSE = 1,
    XF_YMM = 2,
    XF_BNDREGS = 3,
    XF_BNDCSR = 4,
    XF_OPMASK = 5,
    XF_ZMM_HI256 = 6,
    XF_HI16_ZMM = 7,
    XF_PKRU = 9,
};

#define XSAVE_MAX    16384
#define XSTATE_BV_AT 512

struct fxsave {
    uint16_t cwd, swd, twd, fop;
    uint64_t rip, rdp;
    uint32_t mxcsr, mxcsr_mask;
    uint32_t st_space[32], xmm_space[64], padding[24];
};

/* Where the components lie in the non-compacted area; size 0 when this CPU does not have it. */
struct fpu_layout {
    uint32_t offset[XF_PKRU + 1], size[XF_PKRU + 1];
};

const struct fpu_layout *fpu_layout_new(struct arena *arena)
{
    struct fpu_layout *layout = arena_new_of(arena, struct fpu_layout);
    for (unsigned f = XF_YMM; f <= XF_PKRU; f++) {
        uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
        if (__get_cpuid_count(0x0d, f, &eax, &ebx, &ecx, &edx) && eax)
            layout->offset[f] = ebx, layout->size[f] = eax;
    }
    return layout;
}

static uint64_t xstate_bv(const uint8_t *area)
{
    uint64_t bv;
    memcpy(&bv, area + XSTATE_BV_AT, sizeof(bv));
    return bv;
}

static uint32_t *words_dup(struct arena *arena, const void *p, size_t bytes, size_t *count)
{
    *count = bytes / sizeof(uint32_t);
    return arena_memdup(arena, p, bytes);
}

static uint64_t *longs_dup(struct arena *arena, const void *p, size_t bytes, size_t *count)
{
    *count = bytes / sizeof(uint64_t);
    return arena_memdup(arena, p, bytes);
}

#define XF_KNOWN                                                                                   \
    (1ull << XF_FP | 1ull << XF_SSE | 1ull << XF_YMM | 1ull << XF_BNDREGS | 1ull << XF_BNDCSR |    \
     1ull << XF_OPMASK | 1ull << XF_ZMM_HI256 | 1ull << XF_HI16_ZMM | 1ull << XF_PKRU)

static void xsave_dump(const uint8_t *area, size_t size, const struct fpu_layout *layout,
                       struct arena *arena, UserX86XsaveEntry *x)
{
    x->xstate_bv = xstate_bv(area);
    uint32_t at, n;
#define COMPONENT(feature, field, dup)                                                             \
    at = layout->offset[feature], n = layout->size[feature];                                       \
    if (n && (size_t)at + n <= size)                                                               \
        x->field = dup(arena, area + at, n, &x->n_##field);
    COMPONENT(XF_YMM, ymmh_space, words_dup)
    COMPONENT(XF_BNDREGS, bndreg_state, longs_dup)
    COMPONENT(XF_BNDCSR, bndcsr_state, longs_dup)
    COMPONENT(XF_OPMASK, opmask_reg, longs_dup)
    COMPONENT(XF_ZMM_HI256, zmm_upper, longs_dup)
    COMPONENT(XF_HI16_ZMM, hi16_zmm, longs_dup)
    COMPONENT(XF_PKRU, pkru, words_dup)
#undef COMPONENT
}

static int fpu_dump(pid_t tid, const struct fpu_layout *layout, struct arena *arena,
                    UserX86FpregsEntry *e, struct error *err)
{
    _Alignas(64) uint8_t area[XSAVE_MAX];
    struct iovec iov = {area, XSAVE_MAX};
    if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
        return error_errno(err, errno, "cannot read the floating point state of thread %d", tid);
    uint64_t unknown = xstate_bv(area) & ~XF_KNOWN;
    if (unknown)
        return error_set(err, ENOTSUP,
                         "thread %d uses processor state (xfeature mask %#llx, such as AMX tiles) "
                         "that firn cannot save yet",
                         tid, (unsigned long long)unknown);
    struct fxsave fx;
    memcpy(&fx, area, sizeof(fx));
    e->cwd = fx.cwd, e->swd = fx.swd, e->twd = fx.twd, e->fop = fx.fop;
    e->rip = fx.rip, e->rdp = fx.rdp, e->mxcsr = fx.mxcsr, e->mxcsr_mask = fx.mxcsr_mask;
    e->st_space = words_dup(arena, fx.st_space, sizeof(fx.st_space), &e->n_st_space);
    e->xmm_space = words_dup(arena, fx.xmm_space, sizeof(fx.xmm_space), &e->n_xmm_space);
    e->padding = words_dup(arena, fx.padding, sizeof(fx.padding), &e->n_padding);
    e->xsave = arena_new_of(arena, UserX86XsaveEntry);
    user_x86_xsave_entry__init(e->xsave);
    xsave_dump(area, iov.iov_len, layout, arena, e->xsave);
    return 0;
}

/* clang-format off */
#define GPR_FIELDS(X)                                                                             \
    X(r15, r15) X(r14, r14) X(r13, r13) X(r12, r12) X(bp, rbp) X(bx, rbx) X(r11, r11) X(r10, r10) \
    X(r9, r9) X(r8, r8) X(ax, rax) X(cx, rcx) X(dx, rdx) X(si, rsi) X(di, rdi)                    \
    X(orig_ax, orig_rax) X(ip, rip) X(cs, cs) X(flags, eflags) X(sp, rsp) X(ss, ss)               \
    X(fs_base, fs_base) X(gs_base, gs_base) X(ds, ds) X(es, es) X(fs, fs) X(gs, gs)
/* clang-format on */

int thread_info_dump(pid_t tid, const struct registers *r, const struct fpu_layout *layout,
                     struct arena *arena, CoreEntry *core, struct error *err)
{
    if (r->gpr.cs != 0x33)
        return error_set(err, ENOTSUP, "thread %d runs 32-bit code, which firn cannot save", tid);
    ThreadInfoX86 *info = arena_new_of(arena, ThreadInfoX86);
    thread_info_x86__init(info);
    UserX86RegsEntry *g = arena_new_of(arena, UserX86RegsEntry);
    user_x86_regs_entry__init(g);
#define SAVE(field, reg) g->field = r->gpr.reg;
    GPR_FIELDS(SAVE)
#undef SAVE
    info->gpregs = g;
    info->fpregs = arena_new_of(arena, UserX86FpregsEntry);
    user_x86_fpregs_entry__init(info->fpregs);
    core->mtype = CORE_ENTRY__MARCH__X86_64;
    core->thread_info = info;
    return fpu_dump(tid, layout, arena, info->fpregs, err);
}

int thread_info_load(const CoreEntry *core, struct registers *ret, struct error *err)
{
    if (core->mtype != CORE_ENTRY__MARCH__X86_64 || !core->thread_info ||
        !core->thread_info->gpregs || !core->thread_info->fpregs)
        return error_set(err, EINVAL,
                         "the checkpoint was made on another processor architecture than x86_64");
    const UserX86RegsEntry *g = core->thread_info->gpregs;
    memset(ret, 0, sizeof(*ret));
#define LOAD(field, reg) ret->gpr.reg = g->field;
    GPR_FIELDS(LOAD)
#undef LOAD
    if (ret->gpr.cs != 0x33)
        return error_set(err, EINVAL, "the checkpoint holds a 32-bit thread");
    return 0;
}

/* A component in the image that this CPU lacks may be ignored only if it was not in use. */
static int xsave_component(uint8_t *area, const struct fpu_layout *layout, uint64_t bv,
                           enum xfeature f, const void *data, size_t bytes, struct error *err)
{
    if (!(bv & 1ull << f) || !bytes)
        return 0;
    uint32_t at = layout->offset[f], n = layout->size[f];
    if (n < bytes || (size_t)at + bytes > XSAVE_MAX)
        return error_set(err, ENOTSUP,
                         "the checkpoint uses processor state (xfeature %d) that this CPU lacks; "
                         "restore it on a CPU at least as new as the one it was made on",
                         f);
    memcpy(area + at, data, bytes);
    return 0;
}

static int xsave_load(uint8_t *area, const struct fpu_layout *layout, const UserX86XsaveEntry *x,
                      struct error *err)
{
    int r = 0;
#define COMPONENT(feature, field)                                                                  \
    if (r == 0)                                                                                    \
        r = xsave_component(area, layout, x->xstate_bv, feature, x->field,                         \
                            x->n_##field * sizeof(*x->field), err);
    COMPONENT(XF_YMM, ymmh_space)
    COMPONENT(XF_BNDREGS, bndreg_state)
    COMPONENT(XF_BNDCSR, bndcsr_state)
    COMPONENT(XF_OPMASK, opmask_reg)
    COMPONENT(XF_ZMM_HI256, zmm_upper)
    COMPONENT(XF_HI16_ZMM, hi16_zmm)
    COMPONENT(XF_PKRU, pkru)
#undef COMPONENT
    return r;
}

int thread_fpu_restore(pid_t tid, const struct fpu_layout *layout, const CoreEntry *core,
                       struct error *err)
{
    const UserX86FpregsEntry *e = core->thread_info->fpregs;
    _Alignas(64) uint8_t area[XSAVE_MAX];
    struct iovec iov = {area, XSAVE_MAX};
    /* The kernel wants exactly its own size back: ask for it. */
    if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
        return error_errno(err, errno, "cannot read the floating point state of thread %d", tid);
    memset(area, 0, iov.iov_len);
    struct fxsave fx = {
        .cwd = (uint16_t)e->cwd,
        .swd = (uint16_t)e->swd,
        .twd = (uint16_t)e->twd,
        .fop = (uint16_t)e->fop,
        .rip = e->rip,
        .rdp = e->rdp,
        .mxcsr = e->mxcsr,
        .mxcsr_mask = e->mxcsr_mask,
    };
    if (e->n_st_space != 32 || e->n_xmm_space != 64)
        return error_set(err, EINVAL, "the checkpoint's floating point state has a wrong size");
    memcpy(fx.st_space, e->st_space, sizeof(fx.st_space));
    memcpy(fx.xmm_space, e->xmm_space, sizeof(fx.xmm_space));
    memcpy(area, &fx, sizeof(fx));
    uint64_t bv = 3;
    if (e->xsave) {
        bv = e->xsave->xstate_bv & XF_KNOWN;
        int r = xsave_load(area, layout, e->xsave, err);
        if (r < 0)
            return r;
    }
    memcpy(area + XSTATE_BV_AT, &bv, sizeof(bv));
    if (ptrace(PTRACE_SETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
        return error_errno(err, errno, "cannot set the floating point state of thread %d", tid);
    return 0;
}

void thread_info_set_tid_address(CoreEntry *core, uint64_t address)
{
    core->thread_info->clear_tid_addr = address;
}

uint64_t thread_info_tid_address(const CoreEntry *core)
{
    return core->thread_info->clear_tid_addr;
}
