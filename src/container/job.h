/* Checkpoint and restore run in a process of their own, in a session of their own: the tracer of
 * the container's processes. If firn is killed, or interrupted at the terminal, the job is told and
 * undoes what it has done, so that the container is as it was.
 *
 *     struct result { ... } *result;            // plain data, shared between both processes
 *     r = job_run(firn, work, &request, sizeof(*result), (void **)&result, err);
 *
 * `work` gets a context of its own (its own database connection): nothing of the caller's may be
 * used in it that holds open files, but memory may be read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct firn;

struct job {
    struct firn *firn;   /* the job's own */
    const void *request; /* the caller's memory, as it was */
    void *result;        /* zeroed, seen by the caller afterwards */
    int caller_fd;       /* hangs up when the caller dies */
};

typedef int (*job_work)(struct job *job, struct error *err);

/* Runs it and waits. `result` (the caller's, `size` bytes) is filled also on failure. */
int job_run(struct firn *firn, job_work work, const void *request, void *result, size_t size,
            struct error *err);
/* The caller is gone: give up unless it is too late. Fits dump_options.cancelled. */
bool job_cancelled(void *job);
