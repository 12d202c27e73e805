/* Transparent huge pages: what was huge when it was saved is huge again before it is filled, which
 * also makes the filling faster. See Documentation/admin-guide/mm/transhuge.rst. */
#pragma once

#include "engine/batch.h"
#include "engine/restore.h"

#define HUGE_PAGE (2ull << 20)

/* Notes that `start` to `end` of a process was made of huge pages; `process` is its object of the
 * extra document. In ascending order. */
void huge_pages_note(struct json *process, uint64_t start, uint64_t end);
/* Makes such pages in a process whose areas are mapped and empty. Where the kernel has none, the
 * pages stay small. */
int huge_pages_prepare(const struct restore *r, const struct task *t, struct batch *b,
                       struct error *err);
