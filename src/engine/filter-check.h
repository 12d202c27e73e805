/* Seccomp filters that bite while we drive: an ordinary user cannot suspend them. */
#pragma once

#include <stdint.h>

#include "engine/dump.h"

struct sock_filter;

/* What the filter answers to a system call without arguments: SECCOMP_RET_*. */
uint32_t filter_verdict(const struct sock_filter *program, size_t count, int number);
/* Refuses, before any process is touched, filters that are not known or that would kill a process
 * for a call the dump has it make. */
int dump_check_filters(struct dump *d, struct error *err);
