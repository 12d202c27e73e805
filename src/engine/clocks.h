/* CLOCK_MONOTONIC and CLOCK_BOOTTIME go on in a restored container where they were when it was
 * dumped, also on a machine that has been up for less time: time_namespaces(7). The runtime makes
 * none, so init enters one that it makes itself, and the others are born into it.
 *
 * Where the kernel has no time namespaces, or init finds no /proc, the clocks are the host's. A
 * process that had come by exec has the host's clocks, before and after. */
#pragma once

#include "base/error.h"

struct dump;
struct restore;

int clocks_write(struct dump *d, struct error *err);
int clocks_restore(struct restore *r, struct error *err);
