#include "engine/stage.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "engine/batch.h"

static int died(const struct puppet *p, struct error *err)
{
    return error_set(err, ESRCH, "process %d died while it was being driven", p->vtid);
}

static size_t code_size(void)
{
    return (size_t)(executor_code_end - executor_code);
}

/* ---- in a process that goes on afterwards ---- */

/* What lies on the stack of a driven thread. */
struct stack_block {
    struct rescue rescue;
    struct kernel_sigaction action;
    struct remote_call calls[2];
};

static remote_addr code_address(remote_addr vdso_end)
{
    return (vdso_end - code_size()) & ~63ull;
}

/* The kernel fills the last page of the vdso with zeros. */
static int put_code(struct puppet *p, remote_addr vdso_end, struct error *err)
{
    char there[1024];
    size_t size = vdso_end - code_address(vdso_end);
    int r = size <= sizeof(there) ? remote_read(p->process, code_address(vdso_end), there, size)
                                  : -E2BIG;
    for (size_t i = 0; r == 0 && i < size; i++)
        r = there[i] == 0 ? 0 : -ENOSPC;
    /* Code that a killed firn has left there is as good as none. */
    if (r == -ENOSPC && memcmp(there, executor_code, code_size()) == 0)
        r = 0;
    if (r == 0)
        r = remote_force_write(p->process, code_address(vdso_end), executor_code, code_size());
    return r < 0 ? error_errno(err, -r, "process %d has no room in its vdso", p->vtid) : 0;
}

static int remove_code(struct puppet *p, struct error *err)
{
    char zeros[1024] = {0};
    int r = remote_force_write(p->process, p->stage.code, zeros, code_size());
    return r < 0 ? died(p, err) : 0;
}

static void fill_block(struct stack_block *b, const struct puppet *p, remote_addr at,
                       remote_addr code)
{
    *b = (struct stack_block){.action = rescue_action(code)};
    rescue_fill(&b->rescue, &p->saved, p->saved_mask);
    /* The handler is there before anything can trap, and the old one is in its place. */
    b->calls[0] = (struct remote_call){
        .number = SYS_rt_sigaction,
        .args = {SIGTRAP, at + offsetof(struct stack_block, action),
                 at + offsetof(struct stack_block, rescue.trap), 8},
    };
    b->calls[1] = (struct remote_call){
        .number = SYS_mmap,
        .args = {0, STAGE_DATA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 (uint64_t)-1, 0},
    };
}

/* Runs calls that lie in the stack block. */
static int run_block(struct puppet *p, struct stack_block *b, size_t first, size_t count,
                     struct error *err)
{
    struct registers r = p->saved;
    remote_addr calls = p->rescue + offsetof(struct stack_block, calls);
    registers_set_executor(&r, p->stage.code, calls + first * sizeof(b->calls[0]), count,
                           p->rescue);
    if (registers_set(p->tid, &r) < 0)
        return died(p, err);
    int n = puppet_block_signals(p, err);
    if (n == 0)
        n = puppet_run_to_trap(p, NULL, err);
    if (n == 0 && remote_read(p->process, p->rescue, b, sizeof(*b)) < 0)
        return died(p, err);
    return n;
}

static int write_rescue(struct puppet *p, const struct rescue *rescue, struct error *err)
{
    int r = remote_write(p->process, p->rescue, rescue, sizeof(*rescue));
    return r < 0 ? died(p, err) : 0;
}

int stage_raise(struct puppet *p, remote_addr vdso_end, bool alone, struct error *err)
{
    struct stack_block b;
    int r = put_code(p, vdso_end, err);
    if (r < 0)
        return r;
    remote_addr at = registers_stack_room(&p->saved, sizeof(b));
    p->stage.code = code_address(vdso_end);
    fill_block(&b, p, at, p->stage.code);
    r = remote_write(p->process, at, &b, sizeof(b));
    if (r < 0)
        return error_errno(err, -r, "the stack of process %d cannot be written to", p->vtid);
    p->rescue = at;
    r = run_block(p, &b, 0, 2, err);
    if (r < 0)
        return r;
    for (int i = 0; i < 2; i++)
        if (b.calls[i].result < 0 && b.calls[i].result > -4096)
            return error_errno(err, (int)-b.calls[i].result, "process %d cannot be driven",
                               p->vtid);
    p->stage.address = p->stage.data = (remote_addr)b.calls[1].result;
    p->stage.size = STAGE_DATA_SIZE;
    p->stage.trap = b.rescue.trap;
    b.rescue.alone = alone;
    b.rescue.stage = p->stage.address;
    b.rescue.stage_size = p->stage.size;
    return write_rescue(p, &b.rescue, err);
}

int stage_enter(struct puppet *p, struct error *err)
{
    struct rescue rescue = {.trap = p->stage.trap};
    rescue_fill(&rescue, &p->saved, p->saved_mask);
    p->rescue = registers_stack_room(&p->saved, sizeof(struct stack_block));
    int n = write_rescue(p, &rescue, err);
    struct registers r = p->saved;
    registers_set_executor(&r, p->stage.code, p->stage.data, 0, p->rescue);
    if (n == 0 && registers_set(p->tid, &r) < 0)
        n = died(p, err);
    return n < 0 ? n : puppet_block_signals(p, err);
}

/* Lets the trap be delivered: the rescue does everything, as it would if we were dead. It makes
 * three calls (rt_sigaction, munmap, rt_sigreturn); at the exit of the last the registers are back.
 */
static int leave_by_rescue(struct puppet *p, struct stack_block *b, struct error *err)
{
    int r = run_block(p, b, 0, 0, err);
    for (int stops = 0; r == 0 && stops < 6; stops++) {
        if (ptrace(PTRACE_SYSCALL, p->tid, 0, stops == 0 ? SIGTRAP : 0) < 0 ||
            puppet_wait(p->tid, NULL) != STOP_SYSCALL)
            r = died(p, err);
    }
    return r;
}

/* The same by hand, for a thread in a sleep that the kernel continues by restart_syscall(2): a
 * return from a signal would make it forget how. Between the last call and the registers nothing
 * rescues the thread, for a few microseconds. */
static int leave_by_hand(struct puppet *p, struct stack_block *b, struct error *err)
{
    bool failed;
    b->calls[0] =
        (struct remote_call){.number = SYS_munmap, .args = {p->stage.address, p->stage.size}};
    if (remote_write(p->process, p->rescue, b, sizeof(*b)) < 0)
        return died(p, err);
    int n = run_block(p, b, 0, 1, err);
    if (n < 0)
        return n;
    remote_addr old = p->rescue + offsetof(struct stack_block, rescue.trap);
    p->stage.data = p->rescue + offsetof(struct stack_block, calls);
    puppet_call(p, &failed, err, SYS_rt_sigaction, SIGTRAP, old, 0, 8, 0, 0);
    struct registers r = p->saved;
    registers_restart(&r);
    return failed || registers_set(p->tid, &r) < 0 ? died(p, err) : 0;
}

int stage_strike(struct puppet *p, struct error *err)
{
    struct stack_block b;
    if (!p->stage.address)
        return 0;
    if (remote_read(p->process, p->rescue, &b, sizeof(b)) < 0)
        return died(p, err);
    b.rescue.alone = 1;
    int r = write_rescue(p, &b.rescue, err);
    if (r == 0)
        r = registers_in_sleep(&p->saved) ? leave_by_hand(p, &b, err) : leave_by_rescue(p, &b, err);
    if (r == 0)
        r = remove_code(p, err);
    p->stage = (struct stage){0};
    return r;
}

/* ---- in a process that is ours ---- */

int stage_raise_new(struct puppet *p, remote_addr where, struct error *err)
{
    bool failed;
    long at = puppet_call(p, &failed, err, SYS_mmap, where, STAGE_SIZE, PROT_READ | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0);
    if (failed)
        return -err->code;
    if (at != (long)where)
        return error_errno(err, at < 0 ? (int)-at : EEXIST, "process %d cannot map its stage",
                           p->vtid);
    p->stage =
        (struct stage){.address = where, .size = STAGE_SIZE, .code = where, .data = where + PAGE};
    int r = remote_force_write(p->process, where, executor_code, code_size());
    if (r < 0)
        return error_errno(err, -r, "cannot write into the memory of process %d", p->vtid);
    long protect = puppet_call(p, &failed, err, SYS_mprotect, p->stage.data, STAGE_DATA_SIZE,
                               PROT_READ | PROT_WRITE, 0, 0, 0);
    if (failed)
        return -err->code;
    return protect < 0
               ? error_errno(err, (int)-protect, "process %d cannot make memory writable", p->vtid)
               : 0;
}

int stage_strike_new(struct puppet *p, bool needed, struct error *err)
{
    bool failed;
    struct stage stage = p->stage;
    if (remote_write(p->process, stage.data, &stage.trap, sizeof(stage.trap)) < 0)
        return died(p, err);
    puppet_call(p, &failed, err, SYS_rt_sigaction, SIGTRAP, stage.data, 0, 8, 0, 0);
    if (failed)
        return -err->code;
    p->stage = (struct stage){0}; /* from here on by the vdso */
    if (needed)
        return 0;
    long r = puppet_call(p, &failed, err, SYS_munmap, stage.address, stage.size, 0, 0, 0, 0);
    if (failed)
        return -err->code;
    return r < 0 ? error_errno(err, (int)-r, "process %d cannot unmap memory", p->vtid) : 0;
}
