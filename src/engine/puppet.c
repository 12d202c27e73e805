#include "engine/puppet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/io.h"
#include "engine/kernel.h"

const unsigned long puppet_options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                                     PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;

enum stop stop_decode(int status, int *ret_signal)
{
    if (WIFEXITED(status) || WIFSIGNALED(status))
        return STOP_GONE;
    int signal = WSTOPSIG(status), event = (status >> 16) & 0xff;
    if (ret_signal)
        *ret_signal = signal;
    if (signal == (SIGTRAP | 0x80))
        return STOP_SYSCALL;
    switch (event) {
    case 0:
        return STOP_SIGNAL;
    case PTRACE_EVENT_STOP:
        return signal == SIGTRAP ? STOP_TRAP : STOP_GROUP;
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        return STOP_BIRTH;
    case PTRACE_EVENT_EXEC:
        return STOP_EXEC;
    default:
        return STOP_OTHER;
    }
}

enum stop puppet_wait(pid_t tid, int *ret_signal)
{
    int status;
    while (waitpid(tid, &status, __WALL) < 0)
        if (errno != EINTR)
            return STOP_GONE;
    return stop_decode(status, ret_signal);
}

int remote_read(pid_t pid, remote_addr from, void *to, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)from, size};
    ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    return n < 0 ? -errno : (size_t)n < size ? -EFAULT : 0;
}

int remote_write(pid_t pid, remote_addr to, const void *from, size_t size)
{
    struct iovec local = {(void *)from, size}, remote = {(void *)to, size};
    ssize_t n = process_vm_writev(pid, &local, 1, &remote, 1, 0);
    return n < 0 ? -errno : (size_t)n < size ? -EFAULT : 0;
}

int remote_force_write(pid_t pid, remote_addr to, const void *from, size_t size)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : pwrite_full(fd, from, size, (off_t)to);
}

static int died(const struct puppet *p, struct error *err)
{
    return error_set(err, ESRCH, "process %d died while it was being driven", p->vtid);
}

int puppet_borrow(struct puppet *p, struct error *err)
{
    int r = registers_get(p->tid, &p->saved);
    if (r < 0)
        return r == -ESRCH ? died(p, err)
                           : error_errno(err, -r, "cannot read the registers of %d", p->vtid);
    if (ptrace(PTRACE_GETSIGMASK, p->tid, sizeof(p->saved_mask), &p->saved_mask) < 0)
        return error_errno(err, errno, "cannot read the signal mask of %d", p->vtid);
    p->borrowed = true;
    return 0;
}

int puppet_block_signals(struct puppet *p, struct error *err)
{
    uint64_t all_but_trap = ~(1ull << (SIGTRAP - 1));
    if (ptrace(PTRACE_SETSIGMASK, p->tid, sizeof(all_but_trap), &all_but_trap) < 0)
        return error_errno(err, errno, "cannot block the signals of %d", p->vtid);
    return 0;
}

/* A process that is restored dies with us, so it may as well be let go from the trap: the kernel
 * looks at its registers anew there, too. In any other the trap would be its death if we died. */
static bool may_stay(const struct puppet *p)
{
    return p->trapped && !p->rescue;
}

static int settle_begin(pid_t tid, struct error *err)
{
    if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0 || ptrace(PTRACE_CONT, tid, 0, 0) < 0)
        return error_errno(err, errno, "cannot stop thread %d", tid);
    return 0;
}

static int settle_end(pid_t tid, struct error *err)
{
    for (;;) {
        int signal = 0;
        enum stop stop = puppet_wait(tid, &signal);
        if (stop == STOP_TRAP || stop == STOP_GROUP)
            return 0;
        if (stop == STOP_GONE)
            return error_set(err, ESRCH, "thread %d died", tid);
        if (ptrace(PTRACE_CONT, tid, 0, stop == STOP_SIGNAL ? signal : 0) < 0)
            return error_errno(err, errno, "cannot stop thread %d", tid);
    }
}

int puppet_settle(pid_t tid, struct error *err)
{
    int r = settle_begin(tid, err);
    return r < 0 ? r : settle_end(tid, err);
}

int puppet_return_begin(struct puppet *p, struct error *err)
{
    if (!p->borrowed)
        return 0;
    p->borrowed = false;
    int r = may_stay(p) ? 0 : settle_begin(p->tid, err);
    p->returning = r == 0;
    return r;
}

int puppet_return_end(struct puppet *p, struct error *err)
{
    if (!p->returning)
        return 0;
    p->returning = false;
    int r = may_stay(p) ? 0 : settle_end(p->tid, err);
    if (r < 0)
        return r;
    p->trapped = false;
    if (registers_set(p->tid, &p->saved) < 0 ||
        ptrace(PTRACE_SETSIGMASK, p->tid, sizeof(p->saved_mask), &p->saved_mask) < 0)
        return died(p, err);
    return 0;
}

int puppet_return(struct puppet *p, struct error *err)
{
    int r = puppet_return_begin(p, err);
    return r < 0 ? r : puppet_return_end(p, err);
}

static int next_syscall_stop(struct puppet *p, struct error *err)
{
    do {
        if (ptrace(PTRACE_SYSCALL, p->tid, 0, 0) < 0)
            return died(p, err);
        enum stop stop = puppet_wait(p->tid, NULL);
        if (stop == STOP_GONE)
            return died(p, err);
        if (stop == STOP_SYSCALL)
            return 0;
    } while (true);
}

long puppet_call(struct puppet *p, bool *failed, struct error *err, long number, uint64_t a,
                 uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    struct registers r = p->saved;
    const uint64_t args[6] = {a, b, c, d, e, f};
    registers_set_call(&r, p->insn, number, args);
    if (p->stage.address) {
        registers_set_ip(&r, p->stage.code + executor_syscall);
        registers_set_executor_end(&r, p->stage.data, p->rescue);
    }
    *failed = true;
    p->trapped = false;
    if (registers_set(p->tid, &r) < 0)
        return died(p, err);
    if (next_syscall_stop(p, err) < 0 || next_syscall_stop(p, err) < 0)
        return -ESRCH;
    if (registers_get(p->tid, &r) < 0)
        return died(p, err);
    *failed = false;
    return registers_result(&r);
}

int puppet_go(struct puppet *p, struct error *err)
{
    p->trapped = false;
    return ptrace(PTRACE_CONT, p->tid, 0, 0) < 0
               ? error_errno(err, errno, "cannot continue process %d", p->vtid)
               : 0;
}

int puppet_wait_for_trap(struct puppet *p, struct births *births, struct error *err)
{
    for (;;) {
        int signal = 0;
        enum stop stop = puppet_wait(p->tid, &signal);
        unsigned long child;
        if (stop == STOP_GONE)
            return died(p, err);
        p->trapped = stop == STOP_SIGNAL && signal == SIGTRAP;
        if (p->trapped)
            return 0;
        if (stop == STOP_SIGNAL)
            return error_set(err, EIO, "process %d got signal %d while it was being driven",
                             p->vtid, signal);
        if (stop == STOP_BIRTH && births && births->count < births->max &&
            ptrace(PTRACE_GETEVENTMSG, p->tid, 0, &child) == 0)
            births->tids[births->count++] = (pid_t)child;
        int r = puppet_go(p, err);
        if (r < 0)
            return r;
    }
}

int puppet_run_to_trap(struct puppet *p, struct births *births, struct error *err)
{
    int r = puppet_go(p, err);
    return r < 0 ? r : puppet_wait_for_trap(p, births, err);
}
