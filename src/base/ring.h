/* Pieces of a stream worked on by all cores and taken back in order.
 *
 *     struct ring_piece *p = ring_empty(r);     fill p->in
 *     ring_submit(r);                           a thread works on it
 *     p = ring_oldest(r, wait);                 use p->out
 *     ring_release(r);                          it is empty again
 *
 * One thread calls these functions; only those of `struct ring_work` run in others, with all
 * signals blocked. Memory is bounded by the number of cores, and by 32 MiB. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

struct ring_piece {
    char *in, *out;
    size_t in_size, out_size;
    bool failed;
};

struct ring_work {
    /* What each thread has for itself; both may be NULL. */
    void *(*begin)(void);
    void (*end)(void *own);
    /* Works on p->in and p->out, which have the rooms that were asked for; false: failed. */
    bool (*work)(void *own, const void *context, struct ring_piece *p);
};

struct ring;

int ring_open(size_t in_room, size_t out_room, const struct ring_work *work, const void *context,
              struct ring **ret, struct error *err);
/* The piece to be filled next; NULL if all are under way. */
struct ring_piece *ring_empty(struct ring *r);
void ring_submit(struct ring *r);
/* The oldest piece that was submitted, if it is done; waits for it with `wait`. NULL: there is none
 * or it is not done. */
struct ring_piece *ring_oldest(struct ring *r, bool wait);
void ring_release(struct ring *r);
void ring_free(struct ring *r);
DEFINE_CLEANUP(struct ring *, ring_free);
