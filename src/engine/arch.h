/* What differs between processors. Each function has one implementation in arch-x86_64.c (and one
 * day arch-aarch64.c); nothing else in the engine knows the architecture. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/arena.h"
#include "base/error.h"
#include "format/messages.pb-c.h"

#define PAGE 4096ull

/* An address in the puppet's memory. An integer, so that nobody dereferences it by mistake. */
typedef uint64_t remote_addr;

struct registers {
    struct user_regs_struct gpr;
};

/* AUDIT_ARCH_*, as seccomp filters see it. */
uint32_t arch_audit(void);
/* 0 or -errno. */
int registers_get(pid_t tid, struct registers *ret);
int registers_set(pid_t tid, const struct registers *r);

/* Points the registers at one system call: `at` is the address of a syscall instruction. */
void registers_set_call(struct registers *r, remote_addr at, long number, const uint64_t args[6]);
long registers_result(const struct registers *r);
remote_addr registers_ip(const struct registers *r);
void registers_set_ip(struct registers *r, remote_addr ip);
/* The system call this task was interrupted in, or -1; its arguments; what it would return. */
long registers_syscall(const struct registers *r);
uint64_t registers_syscall_arg(const struct registers *r, int index);
void registers_set_result(struct registers *r, long result);
/* The call that was interrupted becomes this one. */
void registers_set_syscall(struct registers *r, long number);

/* The executor: position-independent code that runs a list of `struct remote_call` and ends in a
 * trap. `executor_syscall` is the offset of its syscall instruction, `executor_rescue` that of the
 * handler for the trap, which only runs when nobody traces the puppet any more. */
extern const char executor_code[], executor_code_end[];
extern const uint64_t executor_syscall, executor_rescue;
/* Points the registers at the executor with `count` calls at `calls`. `rescue` is the address of
 * the thread's struct rescue, on its own stack; what the kernel pushes goes below it. 0: none. */
void registers_set_executor(struct registers *r, remote_addr code, remote_addr calls,
                            uint64_t count, remote_addr rescue);
/* For a single call at executor_syscall: what comes after it is the trap. */
void registers_set_executor_end(struct registers *r, remote_addr calls, remote_addr rescue);

struct kernel_sigaction {
    uint64_t handler, flags, restorer, mask;
};

/* With what a puppet whose tracer has died puts itself back: the handler copies it into the frame
 * that the kernel has made for it and returns from the signal. */
#define RESCUE_REGISTERS 18
struct rescue {
    uint64_t registers[RESCUE_REGISTERS];
    uint64_t mask;
    struct kernel_sigaction trap; /* what SIGTRAP does in the program itself */
    uint64_t alone;               /* no other thread needs these two: */
    uint64_t stage, stage_size;   /* SIGTRAP gets its action back, and this is unmapped */
};
/* An interrupted system call begins again: what a thread can go on with from anywhere. */
void registers_restart(struct registers *r);
/* It is in a call that only restart_syscall(2) can continue. */
bool registers_in_sleep(const struct registers *r);
/* Room for a rescue and a little more below the stack pointer, where no leaf function keeps data.
 */
remote_addr registers_stack_room(const struct registers *r, size_t size);
void rescue_fill(struct rescue *rescue, const struct registers *r, uint64_t mask);
/* The action that calls the handler. */
struct kernel_sigaction rescue_action(remote_addr code);
/* How many of the calls were not done when the executor trapped. */
uint64_t registers_executor_left(const struct registers *r);
/* Finds a syscall instruction in code of `size` bytes; its offset or -1. */
ssize_t find_syscall(const uint8_t *code, size_t size);

/* Where this processor has the parts of the floating point state. To be asked once a job: under a
 * hypervisor the answer takes long. In `arena`. */
struct fpu_layout;
const struct fpu_layout *fpu_layout_new(struct arena *arena);

/* Registers and floating point state to and from the checkpoint's core image. The dump allocates
 * in `arena`. Extended state the image format has no place for is an error that names it. */
int thread_info_dump(pid_t tid, const struct registers *r, const struct fpu_layout *layout,
                     struct arena *arena, CoreEntry *core, struct error *err);
int thread_info_load(const CoreEntry *core, struct registers *ret, struct error *err);
int thread_fpu_restore(pid_t tid, const struct fpu_layout *layout, const CoreEntry *core,
                       struct error *err);
void thread_info_set_tid_address(CoreEntry *core, uint64_t address);
uint64_t thread_info_tid_address(const CoreEntry *core);
