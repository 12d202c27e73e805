/* Which system call a thread was in. Once a sleep has been interrupted the kernel goes on with it
 * by restart_syscall(2), and a second interruption shows nothing but that: its arguments, which are
 * still in the registers, have to tell. */
#pragma once

#include "engine/arch.h"

/* The number of the interrupted call; restart_syscall's own if it cannot be told. */
long interrupted_call(pid_t pid, const struct registers *regs);
