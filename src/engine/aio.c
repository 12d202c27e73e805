#include "engine/aio.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/alloc.h"

/* fs/aio.c of the kernel; the events follow. */
struct ring {
    uint32_t id, nr, head, tail, magic, compat, incompat, header_length;
};

#define RING_MAGIC   0xa10a10a1
#define RING_MAX     (16u << 20)
#define SUBMIT_MAX   256
#define EVENTS(size) (((size) - sizeof(struct ring)) / sizeof(struct io_event))

/* ---- dump ---- */

static void note_event(struct dump *d, const struct task *t, uint64_t ring,
                       const struct io_event *e)
{
    struct json *process = extra_of(d->extra, "processes", (uint64_t)t->vpid);
    struct json *o = js_object();
    js_set(o, "ring", js_int((int64_t)ring));
    js_set(o, "data", js_int((int64_t)e->data));
    js_set(o, "object", js_int((int64_t)e->obj));
    js_set(o, "result", js_int(e->res));
    js_set(o, "result2", js_int(e->res2));
    if (!js_get(process, "aioEvents"))
        js_set(process, "aioEvents", js_array());
    js_push(js_get(process, "aioEvents"), o);
}

static int note_events(struct dump *d, const struct task *t, uint64_t at, const struct ring *ring)
{
    int r = 0;
    for (uint32_t i = ring->head; r == 0 && i != ring->tail; i = (i + 1) % ring->nr) {
        struct io_event e;
        r = remote_read(t->pid, at + sizeof(*ring) + i * sizeof(e), &e, sizeof(e));
        if (r == 0)
            note_event(d, t, at, &e);
    }
    return r;
}

int aio_dump(struct dump *d, struct task *t, const struct vma *v, struct error *err)
{
    struct ring ring;
    int r = remote_read(t->pid, v->start, &ring, sizeof(ring));
    if (r == 0 && (ring.magic != RING_MAGIC || ring.nr != EVENTS(v->end - v->start) ||
                   ring.head >= ring.nr || ring.tail >= ring.nr))
        return dump_refuse(d, t, "has a ring of asynchronous I/O at %#" PRIx64 " that it damaged",
                           v->start);
    r = r < 0 ? r : note_events(d, t, v->start, &ring);
    if (r < 0)
        return error_errno(err, -r, "cannot read the memory of process %d", t->vpid);
    MmEntry *mm = t->mm;
    AioRingEntry **rings = arena_array_of(d->arena, AioRingEntry *, mm->n_aios + 1);
    if (mm->n_aios)
        memcpy(rings, mm->aios, mm->n_aios * sizeof(*rings));
    mm->aios = rings;
    AioRingEntry *e = mm->aios[mm->n_aios++] = arena_new_of(d->arena, AioRingEntry);
    aio_ring_entry__init(e);
    e->id = v->start;
    e->nr_req = ring.nr;
    e->ring_len = (uint32_t)(v->end - v->start);
    array_reserve(d->rings, d->ring_count, d->ring_room);
    d->rings[d->ring_count++] = (struct aio_seen){t, v->start, ring.tail};
    return 0;
}

int aio_check_idle(struct dump *d, struct error *err)
{
    for (size_t i = 0; i < d->ring_count; i++) {
        const struct aio_seen *seen = &d->rings[i];
        struct ring ring;
        int r = remote_read(seen->task->pid, seen->address, &ring, sizeof(ring));
        if (r == 0 && ring.tail != seen->tail)
            return error_set(err, EAGAIN,
                             "process %d (%s) of container %s waited for asynchronous I/O, which "
                             "firn cannot save: try again when it is done",
                             seen->task->vpid, seen->task->stat.comm, d->options.name);
    }
    return 0;
}

/* ---- restore ---- */

static bool is_mapped(const MmEntry *mm, const AioRingEntry *e)
{
    for (size_t i = 0; i < mm->n_vmas; i++)
        if (mm->vmas[i]->start == e->id)
            return mm->vmas[i]->status & VMA_AIO && mm->vmas[i]->end - e->id == e->ring_len;
    return false;
}

int aio_check(const struct task *t, struct error *err)
{
    for (size_t i = 0; i < t->mm->n_aios; i++) {
        const AioRingEntry *e = t->mm->aios[i];
        if (!is_mapped(t->mm, e) || e->ring_len > RING_MAX)
            return error_set(err, EINVAL,
                             "the checkpoint has a ring of asynchronous I/O at %#" PRIx64
                             ", where process %d has none",
                             e->id, t->vpid);
    }
    return 0;
}

/* A new one, and where it was. The kernel makes room for twice as many events as one asks for, and
 * two, and fills up the last page. */
static int make_ring(struct batch *b, const AioRingEntry *e, struct error *err)
{
    struct ring ring;
    batch_reset(b);
    remote_addr context = batch_room(b, sizeof(uint64_t));
    batch_call(b, "set up asynchronous I/O (see /proc/sys/fs/aio-max-nr)", SYS_io_setup,
               (EVENTS(e->ring_len) - 2) / 2, context);
    int n = batch_run(b, err);
    if (n < 0)
        return n;
    uint64_t at = *(const uint64_t *)batch_local(b, context);
    n = remote_read(b->puppet->process, at, &ring, sizeof(ring));
    if (n < 0 || ring.nr != EVENTS(e->ring_len))
        return error_set(err, ENOTSUP,
                         "this kernel makes a ring of asynchronous I/O of another size than that "
                         "of the checkpoint (is the number of processors higher?)");
    batch_reset(b);
    batch_call(b, "move a ring of asynchronous I/O", SYS_mremap, at, e->ring_len, e->ring_len,
               MREMAP_MAYMOVE | MREMAP_FIXED, e->id);
    return batch_run(b, err);
}

/* Reads of nothing, which end at once: for the kernel these are the events that wait. */
static int pretend(struct batch *b, const AioRingEntry *e, size_t count, struct error *err)
{
    batch_reset(b);
    size_t call = batch_call(b, "make a memfd", SYS_memfd_create, batch_string(b, "aio"), 0);
    int n = batch_run(b, err);
    if (n < 0)
        return n;
    uint32_t fd = (uint32_t)batch_result(b, call);
    for (size_t done = 0; n == 0 && done < count;) {
        uint64_t pointers[SUBMIT_MAX];
        size_t step = count - done < SUBMIT_MAX ? count - done : SUBMIT_MAX;
        batch_reset(b);
        for (size_t i = 0; i < step; i++) {
            struct iocb request = {
                .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_buf = e->id};
            pointers[i] = batch_data(b, &request, sizeof(request));
        }
        remote_addr list = batch_data(b, pointers, step * sizeof(*pointers));
        call = batch_call(b, "fill a ring of asynchronous I/O", SYS_io_submit, e->id, step, list);
        n = batch_run(b, err);
        if (n == 0 && batch_result(b, call) != (int64_t)step)
            n = error_set(err, EIO, "cannot fill a ring of asynchronous I/O");
        done += step;
    }
    batch_reset(b);
    batch_call(b, "close a memfd", SYS_close, fd);
    return n < 0 ? n : batch_run(b, err);
}

static struct io_event *events_of(const struct json *list, uint64_t ring, size_t *ret_count)
{
    struct io_event *events = xcalloc(js_count(list), sizeof(*events));
    *ret_count = 0;
    JSON_FOREACH(list, i)
    {
        const struct json *o = js_at(list, i);
        if ((uint64_t)js_get_int(o, "ring", 0) == ring)
            events[(*ret_count)++] = (struct io_event){.data = (uint64_t)js_get_int(o, "data", 0),
                                                       .obj = (uint64_t)js_get_int(o, "object", 0),
                                                       .res = js_get_int(o, "result", 0),
                                                       .res2 = js_get_int(o, "result2", 0)};
    }
    return events;
}

static int fill_ring(struct batch *b, const AioRingEntry *e, const struct json *list,
                     struct error *err)
{
    size_t count;
    _cleanup_free_ struct io_event *events = events_of(list, e->id, &count);
    if (!count)
        return 0;
    if (count >= EVENTS(e->ring_len))
        return error_set(err, EINVAL, "the checkpoint has too many events of asynchronous I/O");
    int n = pretend(b, e, count, err);
    if (n < 0)
        return n;
    n = remote_write(b->puppet->process, e->id + sizeof(struct ring), events,
                     count * sizeof(*events));
    return n < 0 ? error_errno(err, -n, "cannot fill a ring of asynchronous I/O") : 0;
}

int aio_restore(struct restore *r, struct task *t, struct batch *b, struct error *err)
{
    const struct json *extra = extra_find(r->extra, "processes", (uint64_t)t->vpid);
    int n = 0;
    for (size_t i = 0; n == 0 && i < t->mm->n_aios; i++) {
        n = make_ring(b, t->mm->aios[i], err);
        if (n == 0)
            n = fill_ring(b, t->mm->aios[i], js_get(extra, "aioEvents"), err);
    }
    batch_reset(b);
    return n;
}
