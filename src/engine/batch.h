/* A batch of system calls for a puppet, run at one stop: about 15 us for any number plus 0.13 us
 * a call, against 13-30 us for each single remote call.
 *
 *     struct batch b;
 *     batch_start(&b, puppet);
 *     remote_addr lim = batch_room(&b, sizeof(struct rlimit));
 *     batch_call(&b, SYS_prlimit64, 0, RLIMIT_NOFILE, 0, lim);
 *     r = batch_run(&b, err);                     // error text of the failing call included
 *     const struct rlimit *l = batch_local(&b, lim);
 *
 * Data lives in a mirror of the stage's data area and travels in one copy each way. A batch that
 * grows beyond the stage runs what it has first and goes on (batch_call and batch_data then
 * invalidate earlier rooms, so callers with many results use `batch_left`). */
#pragma once

#include "engine/puppet.h"

#define BATCH_CALLS_MAX 512

/* As the executor reads it (engine/arch-*.c). */
struct remote_call {
    uint64_t number;
    uint64_t args[6];
    int64_t result;
};

struct batch {
    struct puppet *puppet;
    remote_addr at; /* its share of the stage */
    size_t calls_max, room;
    struct remote_call calls[BATCH_CALLS_MAX];
    const char *what[BATCH_CALLS_MAX]; /* said when the call fails: "cannot <what>" */
    size_t count;
    char *data; /* mirror of the data area behind the calls */
    size_t used;
    bool running;
    struct error pending; /* a batch that ran because it was full has failed */
};

void batch_start(struct batch *b, struct puppet *p);
/* With the share number `index` of `shares` of the stage, so that several threads of a process may
 * run a batch each at the same time. */
void batch_start_share(struct batch *b, struct puppet *p, size_t index, size_t shares);
void batch_free(struct batch *b);
#define _cleanup_batch_ _cleanup_(batch_free)

/* Adds a call that must succeed; `what` completes the sentence "cannot ...". Returns its index. */
size_t batch_call_(struct batch *b, const char *what, long number, const uint64_t args[6]);
#define batch_call(b, what, number, ...)                                                           \
    batch_call_((b), (what), (number), (const uint64_t[6]){__VA_ARGS__})
/* Adds a call that may fail; look at batch_result. */
size_t batch_try_(struct batch *b, long number, const uint64_t args[6]);
#define batch_try(b, number, ...) batch_try_((b), (number), (const uint64_t[6]){__VA_ARGS__})

/* Copies data in / makes zeroed room for results; 16-byte aligned. */
remote_addr batch_data(struct batch *b, const void *data, size_t size);
remote_addr batch_string(struct batch *b, const char *s);
remote_addr batch_room(struct batch *b, size_t size);
/* How many more calls and bytes fit. */
bool batch_fits(const struct batch *b, size_t calls, size_t bytes);

/* Runs what was added and empties the batch of calls; data stays readable by batch_local until
 * the next batch_start/batch_reset. A birth (fork, clone) stores the child's tid in *born. */
int batch_run(struct batch *b, struct error *err);
int batch_run_births(struct batch *b, pid_t *born, size_t born_max, size_t *born_count,
                     struct error *err);
/* The same in two halves, between which others may be driven. After the first has succeeded the
 * second must follow. */
int batch_begin(struct batch *b, struct error *err);
int batch_end(struct batch *b, struct error *err);
int64_t batch_result(const struct batch *b, size_t index);
const void *batch_local(const struct batch *b, remote_addr at);
/* Forgets calls and data. */
void batch_reset(struct batch *b);
