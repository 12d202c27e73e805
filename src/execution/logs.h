#pragma once

#include "container/logs.h"
#include "execution/execution.h"

/* What its worker has written; with `follow` until the execution is over, through restores. What a
 * worker wrote after its last checkpoint is taken back with it when it dies. */
int execution_logs(struct execution *e, const struct logs_options *options, struct error *err);
