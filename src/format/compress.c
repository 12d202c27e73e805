#include "format/compress.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "base/alloc.h"

#define PIECE       (256u << 10)
#define MAX_WORKERS 64

/* A piece goes round: the caller fills it (EMPTY), a worker compresses it (READY, BUSY), the caller
 * writes it (DONE). Pieces form a ring and are used in order, so the output is in order. */
enum piece_state { EMPTY, READY, BUSY, DONE };

struct piece {
    enum piece_state state;
    char *in, *out;
    size_t in_size, out_size;
    bool failed;
};

struct compressor {
    enum compression kind;
    int level;
    compress_write_fn write;
    void *context;

    struct piece *pieces;
    size_t count;
    size_t fill; /* the one being filled */
    size_t next; /* the next to be written: as many as are not EMPTY follow */
    size_t out_room;
    bool any; /* something was compressed */

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    size_t take; /* the next a worker takes */
    bool stop;
    pthread_t *workers;
    size_t worker_count;
};

static const struct {
    const char *name;
    enum compression kind;
} names[] = {{"none", COMPRESS_NONE}, {"gzip", COMPRESS_GZIP}, {"zstd", COMPRESS_ZSTD}};

int compression_parse(const char *name, enum compression *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcasecmp(name, names[i].name) == 0) {
            *ret = names[i].kind;
            return 0;
        }
    }
    return -EINVAL;
}

const char *compression_name(enum compression c)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].kind == c)
            return names[i].name;
    return "none";
}

/* What one thread needs to compress. */
struct engine {
    ZSTD_CCtx *zstd;
    z_stream gzip;
    bool have_gzip;
};

static bool engine_open(struct engine *e, const struct compressor *c)
{
    if (c->kind == COMPRESS_ZSTD) {
        e->zstd = ZSTD_createCCtx();
        return e->zstd &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, c->level)) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_checksumFlag, 1));
    }
    /* 31: the largest window, in a gzip wrapping */
    e->have_gzip = deflateInit2(&e->gzip, c->level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return e->have_gzip;
}

static void engine_close(struct engine *e)
{
    ZSTD_freeCCtx(e->zstd);
    if (e->have_gzip)
        deflateEnd(&e->gzip);
}

static bool compress_zstd(struct engine *e, struct piece *p, size_t room)
{
    size_t n = ZSTD_compress2(e->zstd, p->out, room, p->in, p->in_size);
    p->out_size = n;
    return !ZSTD_isError(n);
}

static bool compress_gzip(struct engine *e, struct piece *p, size_t room)
{
    if (deflateReset(&e->gzip) != Z_OK)
        return false;
    e->gzip.next_in = (unsigned char *)p->in;
    e->gzip.avail_in = (unsigned)p->in_size;
    e->gzip.next_out = (unsigned char *)p->out;
    e->gzip.avail_out = (unsigned)room;
    if (deflate(&e->gzip, Z_FINISH) != Z_STREAM_END)
        return false;
    p->out_size = room - e->gzip.avail_out;
    return true;
}

static void compress_piece(struct engine *e, bool ready, const struct compressor *c,
                           struct piece *p)
{
    p->failed = !ready || !(c->kind == COMPRESS_ZSTD ? compress_zstd(e, p, c->out_room)
                                                     : compress_gzip(e, p, c->out_room));
}

static struct piece *take_work(struct compressor *c)
{
    while (!c->stop && c->pieces[c->take].state != READY)
        pthread_cond_wait(&c->work, &c->lock);
    if (c->stop)
        return NULL;
    struct piece *p = &c->pieces[c->take];
    p->state = BUSY;
    c->take = (c->take + 1) % c->count;
    return p;
}

static void *worker(void *context)
{
    struct compressor *c = context;
    struct engine e = {0};
    bool ready = engine_open(&e, c);
    pthread_mutex_lock(&c->lock);
    for (struct piece *p; (p = take_work(c));) {
        pthread_mutex_unlock(&c->lock);
        compress_piece(&e, ready, c, p);
        pthread_mutex_lock(&c->lock);
        p->state = DONE;
        pthread_cond_signal(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    engine_close(&e);
    return NULL;
}

static size_t core_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) < 0)
        return 2;
    size_t n = (size_t)CPU_COUNT(&set);
    return n > MAX_WORKERS ? MAX_WORKERS : n;
}

/* Signals are the business of the threads that were there before. */
static void start_workers(struct compressor *c, size_t count)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    c->workers = xcalloc(count, sizeof(*c->workers));
    while (c->worker_count < count &&
           pthread_create(&c->workers[c->worker_count], NULL, worker, c) == 0)
        c->worker_count++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static size_t room_for(enum compression kind)
{
    if (kind == COMPRESS_ZSTD)
        return ZSTD_compressBound(PIECE);
    return compressBound(PIECE) + 32; /* the gzip header and trailer are larger than zlib's */
}

int compressor_open(enum compression kind, int level, compress_write_fn write, void *context,
                    struct compressor **ret, struct error *err)
{
    _cleanup_(compressor_freep) struct compressor *c = xcalloc(1, sizeof(*c));
    c->kind = kind;
    c->level = level ? level : 1;
    c->write = write;
    c->context = context;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->work, NULL);
    pthread_cond_init(&c->done, NULL);
    if (kind != COMPRESS_NONE) {
        size_t cores = core_count();
        c->count = cores * 3;
        c->out_room = room_for(kind);
        c->pieces = xcalloc(c->count, sizeof(*c->pieces));
        for (size_t i = 0; i < c->count; i++) {
            c->pieces[i].in = xmalloc(PIECE);
            c->pieces[i].out = xmalloc(c->out_room);
        }
        start_workers(c, cores);
        if (!c->worker_count)
            return error_set(err, EAGAIN, "cannot start a thread for compression");
    }
    *ret = take_ptr(c);
    return 0;
}

static int write_out(struct compressor *c, const void *data, size_t size, struct error *err)
{
    int r = c->write(c->context, data, size);
    return r < 0 ? error_errno(err, -r, "cannot write compressed data") : 0;
}

/* Writes finished pieces in order; with `wait`, at least one, if any is under way. */
static int drain(struct compressor *c, bool wait, struct error *err)
{
    for (;;) {
        struct piece *p = &c->pieces[c->next];
        pthread_mutex_lock(&c->lock);
        while (wait && (p->state == READY || p->state == BUSY))
            pthread_cond_wait(&c->done, &c->lock);
        bool done = p->state == DONE;
        pthread_mutex_unlock(&c->lock);
        if (!done)
            return 0;
        if (p->failed)
            return error_set(err, EIO, "the %s library failed", compression_name(c->kind));
        int r = write_out(c, p->out, p->out_size, err);
        if (r < 0)
            return r;
        p->in_size = 0;
        pthread_mutex_lock(&c->lock);
        p->state = EMPTY;
        pthread_mutex_unlock(&c->lock);
        c->next = (c->next + 1) % c->count;
        wait = false;
    }
}

static int submit(struct compressor *c, struct error *err)
{
    pthread_mutex_lock(&c->lock);
    c->pieces[c->fill].state = READY;
    pthread_cond_signal(&c->work);
    pthread_mutex_unlock(&c->lock);
    c->any = true;
    c->fill = (c->fill + 1) % c->count;
    return drain(c, c->fill == c->next, err);
}

int compressor_write(struct compressor *c, const void *data, size_t size, struct error *err)
{
    if (c->kind == COMPRESS_NONE)
        return write_out(c, data, size, err);
    while (size) {
        struct piece *p = &c->pieces[c->fill];
        size_t step = PIECE - p->in_size < size ? PIECE - p->in_size : size;
        memcpy(p->in + p->in_size, data, step);
        p->in_size += step;
        data = (const char *)data + step;
        size -= step;
        int r = p->in_size == PIECE ? submit(c, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int compressor_end(struct compressor *c, struct error *err)
{
    if (c->kind == COMPRESS_NONE)
        return 0;
    int r = 0;
    if (c->pieces[c->fill].in_size || !c->any)
        r = submit(c, err);
    while (r == 0 && c->next != c->fill)
        r = drain(c, true, err);
    return r;
}

void compressor_free(struct compressor *c)
{
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->work);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->worker_count; i++)
        pthread_join(c->workers[i], NULL);
    for (size_t i = 0; i < c->count; i++) {
        free(c->pieces[i].in);
        free(c->pieces[i].out);
    }
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->work);
    pthread_cond_destroy(&c->done);
    free(c->pieces);
    free(c->workers);
    free(c);
}
