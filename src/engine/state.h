/* The parts of a process's and a thread's state, one file each in engine/state/, one row each in
 * the tables of state.c.
 *
 * A dump calls `ask`, which adds remote calls to the look's batch and returns what `take` needs to
 * find their results; after the batch ran, `take` fills in the images. A restore calls `restore`,
 * which adds the calls that make the state again; rows run in the order of the table. */
#pragma once

#include "engine/dump.h"

struct restore;

/* A dump looking at one thread; for state of the whole process, at its leader. */
struct look {
    struct dump *dump;
    struct task *task;
    struct thread *thread;
    struct batch *batch;
};

/* A restore reviving one thread. */
struct revival {
    struct restore *restore;
    struct task *task;
    struct thread *thread;
    struct batch *batch;
};

struct state_part {
    const char *name;
    void *(*ask)(struct look *l);                             /* may be NULL */
    int (*take)(struct look *l, void *asked, struct error *); /* may be NULL */
    int (*restore)(struct revival *v, struct error *);        /* may be NULL */
};

/* In the order of restoring. */
extern const struct state_part *const process_state[]; /* once a process, at its leader */
extern const struct state_part *const thread_state[];  /* every thread */
extern const struct state_part *const timer_state[];   /* once a process, when all else is done */

extern const struct state_part state_limits, state_signal_actions, state_interval_timers,
    state_posix_timers, state_memory_protection, state_attributes, state_pending_signals,
    state_host_name, state_landlock;
extern const struct state_part state_thread_pointers, state_scheduling, state_rseq, state_seccomp,
    state_credentials, state_thread_signals, state_controls, state_keyrings;

/* Room in the look's batch for results, and the results afterwards. */
#define look_room(l, type)      batch_room((l)->batch, sizeof(type))
#define look_local(l, type, at) ((const type *)batch_local((l)->batch, (at)))
