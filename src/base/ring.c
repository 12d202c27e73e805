#include "base/ring.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/cores.h"

#define MAX_WORKERS  64
#define MEMORY_LIMIT (32u << 20)

/* A slot goes round: the caller fills it (EMPTY), a worker works on it (READY, BUSY), the caller
 * takes the result (DONE). Slots are used in order, so the output is in order. */
enum slot_state { EMPTY, READY, BUSY, DONE };

struct slot {
    enum slot_state state;
    struct ring_piece piece;
};

struct ring {
    struct ring_work work;
    const void *context;
    struct slot *slots;
    size_t count;
    size_t fill; /* the one being filled */
    size_t next; /* the oldest: as many as are not EMPTY follow */

    pthread_mutex_t lock;
    pthread_cond_t ready, done;
    size_t take; /* the next a worker takes */
    bool stop;
    pthread_t *workers;
    size_t worker_count;
};

static struct slot *take_slot(struct ring *r)
{
    while (!r->stop && r->slots[r->take].state != READY)
        pthread_cond_wait(&r->ready, &r->lock);
    if (r->stop)
        return NULL;
    struct slot *s = &r->slots[r->take];
    s->state = BUSY;
    r->take = (r->take + 1) % r->count;
    return s;
}

static void *worker(void *context)
{
    struct ring *r = context;
    void *own = r->work.begin ? r->work.begin() : NULL;
    pthread_mutex_lock(&r->lock);
    for (struct slot *s; (s = take_slot(r));) {
        pthread_mutex_unlock(&r->lock);
        s->piece.failed = !r->work.work(own, r->context, &s->piece);
        pthread_mutex_lock(&r->lock);
        s->state = DONE;
        pthread_cond_signal(&r->done);
    }
    pthread_mutex_unlock(&r->lock);
    if (r->work.end)
        r->work.end(own);
    return NULL;
}

/* Signals are the business of the threads that were there before. */
static void start_workers(struct ring *r, size_t count)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    r->workers = xcalloc(count, sizeof(*r->workers));
    while (r->worker_count < count &&
           pthread_create(&r->workers[r->worker_count], NULL, worker, r) == 0)
        r->worker_count++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int ring_open(size_t in_room, size_t out_room, const struct ring_work *work, const void *context,
              struct ring **ret, struct error *err)
{
    _cleanup_(ring_freep) struct ring *r = xcalloc(1, sizeof(*r));
    size_t cores = cores_count(MAX_WORKERS), limit = MEMORY_LIMIT / (in_room + out_room);
    r->work = *work;
    r->context = context;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->ready, NULL);
    pthread_cond_init(&r->done, NULL);
    r->count = cores * 3 < limit ? cores * 3 : limit;
    r->slots = xcalloc(r->count, sizeof(*r->slots));
    for (size_t i = 0; i < r->count; i++) {
        r->slots[i].piece.in = xmalloc(in_room);
        r->slots[i].piece.out = xmalloc(out_room);
    }
    start_workers(r, cores < r->count ? cores : r->count);
    if (!r->worker_count)
        return error_set(err, EAGAIN, "cannot start a thread");
    *ret = take_ptr(r);
    return 0;
}

struct ring_piece *ring_empty(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    struct slot *s = &r->slots[r->fill];
    bool empty = s->state == EMPTY;
    pthread_mutex_unlock(&r->lock);
    return empty ? &s->piece : NULL;
}

void ring_submit(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->slots[r->fill].state = READY;
    pthread_cond_signal(&r->ready);
    pthread_mutex_unlock(&r->lock);
    r->fill = (r->fill + 1) % r->count;
}

struct ring_piece *ring_oldest(struct ring *r, bool wait)
{
    struct slot *s = &r->slots[r->next];
    pthread_mutex_lock(&r->lock);
    while (wait && (s->state == READY || s->state == BUSY))
        pthread_cond_wait(&r->done, &r->lock);
    bool done = s->state == DONE;
    pthread_mutex_unlock(&r->lock);
    return done ? &s->piece : NULL;
}

void ring_release(struct ring *r)
{
    struct slot *s = &r->slots[r->next];
    pthread_mutex_lock(&r->lock);
    s->piece.in_size = s->piece.out_size = 0;
    s->state = EMPTY;
    pthread_mutex_unlock(&r->lock);
    r->next = (r->next + 1) % r->count;
}

void ring_free(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->ready);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->worker_count; i++)
        pthread_join(r->workers[i], NULL);
    for (size_t i = 0; i < r->count; i++) {
        free(r->slots[i].piece.in);
        free(r->slots[i].piece.out);
    }
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->ready);
    pthread_cond_destroy(&r->done);
    free(r->slots);
    free(r->workers);
    free(r);
}
