/* A puppet: a stopped thread that makes the system calls we tell it to.
 *
 * Driving one is a scope: `puppet_borrow` saves registers and signal mask, `puppet_return` puts
 * back what was there. Between the two, system calls run one by one (`puppet_call`, two stops
 * each) or in batches (engine/batch.h, one stop for any number).
 *
 * That the thread dies under our hands is a normal result: -ESRCH. See ptrace(2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "engine/arch.h"

/* Memory of ours in the puppet's address space, shared by all threads of a process (stage.h).
 * address 0: none. */
struct stage {
    remote_addr address; /* of the mapping */
    uint64_t size;
    remote_addr code, data;       /* the executor; room for calls and data */
    struct kernel_sigaction trap; /* what SIGTRAP does in the program itself */
};

struct puppet {
    pid_t tid;          /* in our pid namespace */
    pid_t vtid;         /* in the container's */
    pid_t process;      /* thread group, ours */
    remote_addr insn;   /* a syscall instruction in its vdso */
    struct stage stage; /* a copy of the process's */
    remote_addr rescue; /* its struct rescue, 0: none */
    bool borrowed, returning;
    bool trapped; /* it stands where the executor trapped, which is in the kernel's signal code */
    struct registers saved;
    uint64_t saved_mask;
};

/* What a stopped tracee is stopped for; decoded once from waitpid(2)'s status. */
enum stop {
    STOP_GONE,    /* it exited or was killed: forget it */
    STOP_TRAP,    /* PTRACE_INTERRUPT or a new auto-attached child: in get_signal, ready */
    STOP_GROUP,   /* as STOP_TRAP, and the process is stopped by a job-control signal */
    STOP_SYSCALL, /* entry or exit of a system call under PTRACE_SYSCALL */
    STOP_SIGNAL,  /* a signal is about to be delivered: continue with it or swallow it */
    STOP_BIRTH,   /* fork, vfork or clone happened: PTRACE_GETEVENTMSG names the child */
    STOP_EXEC,    /* execve is done, nothing of the new program ran */
    STOP_OTHER,   /* another event: continue */
};
enum stop stop_decode(int status, int *ret_signal);

/* Ptrace options of every puppet. */
extern const unsigned long puppet_options;

/* Waits for a stop of this thread. STOP_GONE when it died. */
enum stop puppet_wait(pid_t tid, int *ret_signal);

/* From a stop in get_signal: takes the thread over. */
int puppet_borrow(struct puppet *p, struct error *err);
/* Blocks all signals until puppet_return, but SIGTRAP, which the executor needs. To be called when
 * the registers already lead somewhere from where the thread finds back by itself. */
int puppet_block_signals(struct puppet *p, struct error *err);
/* Puts registers and mask back; the thread stays stopped, such that PTRACE_DETACH or PTRACE_CONT
 * lets it go on as if nothing had happened, interrupted system calls included. */
int puppet_return(struct puppet *p, struct error *err);
/* The same in two halves, between which others may be driven. The second does nothing if the first
 * was not called or failed. */
int puppet_return_begin(struct puppet *p, struct error *err);
int puppet_return_end(struct puppet *p, struct error *err);

/* One system call. Returns its result, -errno of the call included. `failed` says that the puppet
 * itself failed, with *err set. */
long puppet_call(struct puppet *p, bool *failed, struct error *err, long number, uint64_t a,
                 uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

/* Brings a thread that is stopped somewhere else (after exec, a syscall stop) into get_signal. */
int puppet_settle(pid_t tid, struct error *err);

/* Lets it run from where its registers point until the executor's trap. Births (fork, clone) on the
 * way store the child's tid; `births` may be NULL. */
struct births {
    pid_t *tids;
    size_t max, count;
};
int puppet_run_to_trap(struct puppet *p, struct births *births, struct error *err);
/* Its two halves. */
int puppet_go(struct puppet *p, struct error *err);
int puppet_wait_for_trap(struct puppet *p, struct births *births, struct error *err);

/* Reads or writes the puppet's memory; protections are honoured. 0 or -errno. */
int remote_read(pid_t pid, remote_addr from, void *to, size_t size);
int remote_write(pid_t pid, remote_addr to, const void *from, size_t size);
/* The same through /proc/PID/mem: ignores the protections of private mappings. */
int remote_force_write(pid_t pid, remote_addr to, const void *from, size_t size);
