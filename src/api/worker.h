/* The process that does a request's work: a fork of the service. The container functions are
 * written for one job per process, which may hold locks, change namespaces, trace processes, or be
 * killed at any moment; so every request gets one. The service itself stays small and single. */
#pragma once

#include "api/http.h"
#include "container/firn.h"

/* Forks. The child runs the route's function and never returns. On failure (with the error set)
 * `ret` is untouched. */
int worker_start(const struct firn_options *options, struct request *r, struct http_work *ret,
                 struct error *err);
/* Runs the route's function in this process: for ROUTE_INLINE, and in the child. */
void worker_run(struct request *r, struct reply *reply);
