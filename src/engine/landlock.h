/* Landlock domains (landlock(7)): a process that has restricted itself cannot be given that back,
 * and the kernel tells nobody that it has.
 *
 * But it stacks at most 16 of them. A child that is made for the question, inherits the domain and
 * dies at once, restricts itself until it is refused: what is missing from 16 was there before. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

struct dump;
struct proc_status;

#define LANDLOCK_REASON                                                                            \
    "has restricted itself by Landlock, which cannot be given back to it: it would be freer than " \
    "it was"

/* Whoever may not gain privileges (no_new_privs), as nearly all who use Landlock. Others need
 * CAP_SYS_ADMIN for it, see state/landlock.c. */
bool landlock_is_likely(const struct proc_status *s);
/* Refuses those of them that are in a domain. */
int dump_check_landlock(struct dump *d, struct error *err);
