/* A network namespace that lets nothing in but what comes from itself: while its container is not
 * there, what arrives for its connections must not be answered with a reset. It is a table "firn"
 * of nf_tables with one rule that drops, see nft(8). netns-quiet.c alone knows the kernel's
 * language for it. */
#pragma once

#include <stdbool.h>

/* Returns 0 or -errno: some kernels have no nf_tables. Idempotent. */
int netns_quiet(const char *path, bool quiet);
