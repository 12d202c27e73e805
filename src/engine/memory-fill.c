/* The content of memory, filled in by all cores: from files, or from a stream as it comes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/ring.h"
#include "engine/kernel.h"
#include "engine/restore.h"

#define CHUNK  (1u << 20)
#define RANGES 512
/* Less than this is filled before threads had come up. */
#define WORTH_THREADS (4u << 20)

/* What of a filling comes next. */
struct cursor {
    const struct filling *filling;
    size_t range;
    uint64_t into;   /* bytes of that range that are done */
    uint64_t offset; /* in the file */
};

/* A run of a file and where it goes. */
struct chunk {
    const struct filling *filling;
    uint64_t offset;
    struct iovec remote[RANGES];
    size_t count, size;
    struct error err;
    char data[CHUNK];
};

/* Those who fill: the threads of the ring, or, with little to do, the caller alone. */
struct crew {
    struct restore *r;
    struct ring *ring;
    struct chunk *own;
    uint64_t done;
};

void restore_fill_later(struct restore *r, const struct filling *f)
{
    if (!f->count) {
        if (!f->pid)
            close(f->fd);
        return;
    }
    array_reserve(r->fillings, r->filling_count, r->filling_room);
    r->fillings[r->filling_count++] = *f;
}

static bool take(struct cursor *at, size_t limit, struct chunk *ret)
{
    const struct filling *f = at->filling;
    ret->filling = f;
    ret->offset = at->offset;
    ret->count = ret->size = 0;
    while (at->range < f->count && ret->size < limit && ret->count < RANGES) {
        const struct page_range *range = &f->ranges[at->range];
        if (range->born && ret->size)
            break;
        if (range->born) {
            ret->offset = at->offset += range->count * PAGE;
            at->range++;
            continue;
        }
        uint64_t left = range->count * PAGE - at->into;
        size_t step = limit - ret->size < left ? limit - ret->size : left;
        void *address = (void *)(f->base + range->start + at->into); // NOLINT
        ret->remote[ret->count++] = (struct iovec){address, step};
        ret->size += step;
        at->into += step;
        if (step == left) {
            at->range++;
            at->into = 0;
        }
    }
    at->offset += ret->size;
    return ret->size;
}

/* ---- the crew ---- */

static int read_chunk(const struct restore *r, struct chunk *c)
{
    char name[IMAGE_NAME_MAX];
    image_name(IMAGE_PAGES, c->filling->pages_id, name);
    _cleanup_close_ int fd = openat(r->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_errno(&c->err, errno, "cannot open %s of the checkpoint", name);
    ssize_t n = pread(fd, c->data, c->size, (off_t)c->offset);
    if (n != (ssize_t)c->size)
        return error_set(&c->err, EIO, "the pages of the checkpoint cannot be read: %s",
                         n < 0 ? strerror(errno) : "the file is too short");
    return 0;
}

static int fill_file_chunk(struct chunk *c)
{
    const char *data = c->data;
    for (size_t i = 0; i < c->count; i++) {
        int n = pwrite_full(c->filling->fd, data, c->remote[i].iov_len,
                            (off_t)(uintptr_t)c->remote[i].iov_base);
        if (n < 0)
            return error_errno(&c->err, -n, "cannot fill a file in memory");
        data += c->remote[i].iov_len;
    }
    return 0;
}

static int fill_chunk(const struct restore *r, struct chunk *c)
{
    int code = r->options.pages ? 0 : read_chunk(r, c);
    if (code < 0)
        return code;
    if (!c->filling->pid)
        return fill_file_chunk(c);
    struct iovec local = {c->data, c->size};
    ssize_t n = process_vm_writev(c->filling->pid, &local, 1, c->remote, c->count, 0);
    if (n != (ssize_t)c->size)
        return error_errno(&c->err, n < 0 ? errno : EFAULT, "cannot fill memory at %p",
                           c->remote[0].iov_base);
    return 0;
}

static bool work(void *own, const void *context, struct ring_piece *p)
{
    return fill_chunk(context, (struct chunk *)p->in) == 0;
}

static int crew_open(struct crew *crew, struct restore *r, struct error *err)
{
    static const struct ring_work filling = {.work = work};
    crew->r = r;
    if (r->stats.pages_restored * PAGE >= WORTH_THREADS)
        return ring_open(sizeof(struct chunk), 1, &filling, r, &crew->ring, err);
    crew->own = xmalloc(sizeof(*crew->own));
    return 0;
}

static void crew_close(struct crew *crew)
{
    if (crew->ring)
        ring_free(crew->ring);
    free(crew->own);
}

static int filled(struct crew *crew, const struct chunk *c, bool failed, struct error *err)
{
    const struct engine_restore_options *o = &crew->r->options;
    if (failed) {
        *err = c->err;
        return -err->code;
    }
    crew->done += c->size;
    if (o->progress)
        o->progress(o->context, crew->done, crew->r->stats.pages_restored * PAGE);
    if (o->cancelled && o->cancelled(o->context))
        return error_kind_set(err, ERROR_CANCELLED, "the restore was cancelled");
    return 0;
}

/* Takes what is done; with `wait`, at least one chunk. Returns how many there were. */
static int collect(struct crew *crew, bool wait, struct error *err)
{
    int count = 0;
    for (struct ring_piece *p; (p = ring_oldest(crew->ring, wait && !count)); count++) {
        int n = filled(crew, (const struct chunk *)p->in, p->failed, err);
        if (n < 0)
            return n;
        ring_release(crew->ring);
    }
    return count;
}

static int crew_empty(struct crew *crew, struct chunk **ret, struct error *err)
{
    if (!crew->ring) {
        *ret = crew->own;
        return 0;
    }
    int n = collect(crew, !ring_empty(crew->ring), err);
    *ret = (struct chunk *)ring_empty(crew->ring)->in;
    return n < 0 ? n : 0;
}

static int crew_fill(struct crew *crew, struct chunk *c, struct error *err)
{
    c->err = (struct error){0};
    if (!crew->ring)
        return filled(crew, c, fill_chunk(crew->r, c) < 0, err);
    ring_submit(crew->ring);
    return 0;
}

static int crew_end(struct crew *crew, struct error *err)
{
    int n;
    do
        n = crew->ring ? collect(crew, true, err) : 0;
    while (n > 0);
    return n;
}

/* ---- from files ---- */

static int fill_from_files(struct crew *crew, struct error *err)
{
    struct chunk *c;
    int n = 0;
    for (size_t i = 0; n == 0 && i < crew->r->filling_count; i++) {
        struct cursor at = {.filling = &crew->r->fillings[i]};
        while ((n = crew_empty(crew, &c, err)) == 0 && take(&at, CHUNK, c))
            if ((n = crew_fill(crew, c, err)) < 0)
                return n;
    }
    return n;
}

/* ---- from a stream ---- */

struct stream {
    struct crew *crew;
    const struct page_stream *pages;
    struct cursor *cursors; /* of those that get this file: shared memory may have several */
    size_t count, room;
};

static int put_block(struct crew *crew, struct cursor *at, const char *data, size_t size,
                     struct error *err)
{
    while (size) {
        struct chunk *c;
        int n = crew_empty(crew, &c, err);
        if (n < 0)
            return n;
        if (!take(at, size < CHUNK ? size : CHUNK, c))
            return 0; /* the file has more than is wanted */
        memcpy(c->data, data, c->size);
        data += c->size;
        size -= c->size;
        n = crew_fill(crew, c, err);
        if (n < 0)
            return n;
    }
    return 0;
}

static int fill_file(struct stream *s, struct error *err)
{
    const void *data;
    size_t size;
    int n;
    while ((n = s->pages->read(s->pages->context, &data, &size, err)) > 0) {
        for (size_t i = 0; i < s->count; i++) {
            n = put_block(s->crew, &s->cursors[i], data, size, err);
            if (n < 0)
                return n;
        }
    }
    return n;
}

/* The fillings of this file; it has at least as many bytes as each wants. */
static int choose(struct stream *s, uint32_t number, uint64_t size, struct error *err)
{
    struct restore *r = s->crew->r;
    s->count = 0;
    for (size_t i = 0; i < r->filling_count; i++) {
        struct filling *f = &r->fillings[i];
        uint64_t want = 0;
        if (f->pages_id != number)
            continue;
        for (size_t j = 0; j < f->count; j++)
            want += f->ranges[j].count * PAGE;
        if (want > size || f->filled)
            return error_set(err, EINVAL, "pages-%" PRIu32 ".img of the checkpoint is %s", number,
                             f->filled ? "there twice" : "too short");
        f->filled = true;
        array_reserve(s->cursors, s->count, s->room);
        s->cursors[s->count++] = (struct cursor){.filling = f};
    }
    return 0;
}

static int fill_stream(struct stream *s, struct error *err)
{
    const struct restore *r = s->crew->r;
    uint32_t number;
    uint64_t size;
    int n;
    while ((n = s->pages->next(s->pages->context, &number, &size, err)) > 0) {
        n = choose(s, number, size, err);
        if (n == 0)
            n = fill_file(s, err);
        if (n < 0)
            return n;
    }
    for (size_t i = 0; n == 0 && i < r->filling_count; i++)
        if (!r->fillings[i].filled)
            return error_set(err, EINVAL, "pages-%" PRIu32 ".img of the checkpoint is missing",
                             r->fillings[i].pages_id);
    return n;
}

static int fill_from_stream(struct crew *crew, struct error *err)
{
    struct stream s = {.crew = crew, .pages = crew->r->options.pages};
    int n = fill_stream(&s, err);
    free(s.cursors);
    return n;
}

void restore_close_fillings(struct restore *r)
{
    for (size_t i = 0; i < r->filling_count; i++)
        if (!r->fillings[i].pid)
            cleanup_close(&r->fillings[i].fd);
}

int restore_fill_memory(struct restore *r, struct error *err)
{
    _cleanup_(crew_close) struct crew crew = {0};
    int n = crew_open(&crew, r, err);
    if (n == 0)
        n = r->options.pages ? fill_from_stream(&crew, err) : fill_from_files(&crew, err);
    if (n == 0)
        n = crew_end(&crew, err);
    restore_close_fillings(r);
    return n;
}
