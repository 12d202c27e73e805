/* What worker and firn ask of a supervisor. */
#pragma once

#include "execution/supervision.h"

/* Takes all requests that are there. */
void requests_serve(struct supervision *s);
/* How long the checkpoint that waits may still wait, in ns; negative: none waits. */
int64_t requests_deadline(const struct supervision *s);
