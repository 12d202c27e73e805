/* What /proc/PID/fdinfo/N tells of a descriptor: lines "name: value", see proc(5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* The whole text of process `pid` (ours). 0 or -errno. */
int fdinfo_read(pid_t pid, int fd, struct buf *text);
/* What stands behind "name:" at the beginning of a line; NULL if there is no such line. */
const char *fdinfo_value(const char *text, const char *name);
/* The same as a number; false leaves *ret alone. */
bool fdinfo_number(const char *text, const char *name, int base, uint64_t *ret);
