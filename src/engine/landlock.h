/* Landlock domains (landlock(7)): a process that has restricted itself cannot be given that back,
 * and the kernel tells nobody that it has.
 *
 * But it stacks at most 16 of them. A child that is made for the question, inherits the domain and
 * dies at once, restricts itself until it is refused: what is missing from 16 was there before. */
#pragma once

#include "base/error.h"

struct dump;

/* Refuses processes in such a domain. Asked are those that could have entered one. */
int dump_check_landlock(struct dump *d, struct error *err);
