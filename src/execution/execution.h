/* An execution: a container that is to reach its end. What is wanted of it is a row of the
 * database; a supervisor (supervisor.h), a small process of its own, sees to it: serves the
 * worker's API, checkpoints it, brings it back when it dies or when its time has come.
 *
 *     _cleanup_execution_ struct execution *e = NULL;
 *     r = execution_lookup(firn, "1f0c", &e, err);
 *
 * The id is also that of its container, which is called "execution-<first 12 digits>". What is
 * done with executions: start.h control.h recover.h cleanup.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"

struct firn;

enum execution_state {
    EXECUTION_RUNNING,    /* is to run; whether it does is asked of the kernel */
    EXECUTION_SUSPENDING, /* a checkpoint is being made that ends the container */
    EXECUTION_SUSPENDED,  /* on disk until wake_at, or until it is resumed */
    EXECUTION_FINISHED,   /* the worker has ended by itself */
    EXECUTION_FAILED,     /* given up: see `error` */
    EXECUTION_KILLED,     /* on request */
};

/* How it is dealt with; times in nanoseconds. */
struct execution_policy {
    char *store;     /* directory of the checkpoints, absolute */
    int64_t retries; /* how often in a row it may die without a checkpoint in between */
    int64_t backoff; /* before the first retry; doubles each time */
    int64_t grace;   /* how long a checkpoint waits for the worker's locks */
};

struct execution {
    struct firn *firn;
    char *id; /* 64 hex digits */
    int64_t created;
    struct json *config; /* as given, checked */
    struct execution_policy policy;
    enum execution_state state;
    int64_t wake_at;  /* ns since the epoch; 0: when resumed */
    char *token;      /* of the last checkpoint a worker asked for, NULL: none */
    bool after;       /* that checkpoint was restored since: asked again, it is "after" */
    int64_t sequence; /* number of the last checkpoint; 0: there is none */
    int64_t checkpoint_at;
    int64_t restores;
    struct json *locks; /* names of those who hold a lock */
    int64_t failures;   /* in a row */
    int64_t retry_at;   /* 0: now */
    int64_t finished_at;
    int exit_code;
    struct json *output; /* what the worker handed over at its end; NULL: nothing */
    char *error;         /* the last thing that went wrong, NULL: nothing */
};

void execution_free(struct execution *e);
DEFINE_CLEANUP(struct execution *, execution_free);
#define _cleanup_execution_ _cleanup_(execution_freep)

struct execution_list {
    struct execution **items;
    size_t count, room;
};
void execution_list_free(struct execution_list *l);
#define _cleanup_execution_list_ _cleanup_(execution_list_free)

/* By id or a unique beginning of it. ERROR_NOT_FOUND `no execution with ID "X": no such execution`.
 */
int execution_lookup(struct firn *firn, const char *id, struct execution **ret, struct error *err);
/* Oldest first. */
int execution_list_all(struct firn *firn, struct execution_list *ret, struct error *err);

int execution_insert(const struct execution *e, struct error *err);
/* Writes everything that changes back. Only the supervisor does this, and whoever holds its lock.
 */
int execution_save(const struct execution *e, struct error *err);
/* Reads it again. ERROR_NOT_FOUND when it was removed meanwhile. */
int execution_refresh(struct execution *e, struct error *err);
int execution_delete(const struct execution *e, struct error *err);

const char *execution_state_name(enum execution_state state);
/* Finished, failed or killed. */
bool execution_is_over(const struct execution *e);
struct json *execution_describe(const struct execution *e);
