/* Named FIFOs, with what stands in them. A restore has init hold each open for reading and writing
 * until all others have opened it: so no open waits and no content is lost. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/extra.h"
#include "engine/hoard.h"
#include "engine/resources/resource.h"

#define CONTENT_MAX (64u << 20)

struct fifo {
    struct pipe_state content;
    dev_t dev;
    ino_t ino;
};

static bool match(const struct descriptor *f)
{
    return S_ISFIFO(f->st.st_mode) && f->link[0] == '/';
}

/* ---- dump ---- */

/* A reader of our own, for that of the container may not be there. */
static int read_fifo(struct dump *d, const struct descriptor *f, struct fifo *fifo)
{
    _cleanup_close_ int fd = open(descriptor_place(d, f), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : pipe_read_content(d, fd, &fifo->content);
}

static int find_fifo(struct dump *d, const struct descriptor *f, uint32_t *ret, struct error *err)
{
    for (size_t i = 0; i < d->fifo_count; i++)
        if (d->fifos[i].ino == f->st.st_ino && d->fifos[i].dev == f->st.st_dev) {
            *ret = d->fifos[i].content.id;
            return 0;
        }
    array_reserve(d->fifos, d->fifo_count, d->fifo_room);
    struct fifo *fifo = &d->fifos[d->fifo_count++];
    *fifo = (struct fifo){.dev = f->st.st_dev, .ino = f->st.st_ino};
    *ret = fifo->content.id = (uint32_t)d->fifo_count;
    int r = read_fifo(d, f, fifo);
    return r < 0 ? error_errno(err, -r, "cannot read %s (%s)", descriptor_name(d, f), f->link) : 0;
}

/* Whether a reader is told that all writers have gone: there had been one. */
static void note_hangup(struct dump *d, const struct descriptor *f, uint32_t id)
{
    struct pollfd p = {.fd = (f->flags & (O_ACCMODE | O_PATH)) == O_RDONLY ? descriptor_borrow(f)
                                                                           : -1};
    if (p.fd >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLHUP)
        js_set(extra_of(d->extra, "fifos", id), "hangup", js_bool(true));
    if (p.fd >= 0)
        close(p.fd);
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    FileEntry *path = dump_new_entry(d);
    int r = resource_regular_file.dump(d, f, path, err);
    if (r < 0)
        return r;
    FifoEntry *e = arena_new_of(d->arena, FifoEntry);
    fifo_entry__init(e);
    e->id = entry->id;
    e->has_regf_id = true;
    e->regf_id = path->id;
    path->reg->has_size = false;
    path->reg->pos = 0;
    entry->type = FD_TYPES__FIFO;
    entry->fifo = e;
    note_hangup(d, f, entry->id);
    return find_fifo(d, f, &e->pipe_id, err);
}

int fifo_write_images(struct dump *d, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_FIFO_DATA, 0);
    for (size_t i = 0; i < d->fifo_count; i++) {
        const struct pipe_state *p = &d->fifos[i].content;
        PipeDataEntry e = PIPE_DATA_ENTRY__INIT;
        e.pipe_id = p->id;
        e.bytes = (uint32_t)p->size;
        e.has_size = true;
        e.size = p->capacity;
        image_writer_add(w, &e);
        image_writer_raw(w, p->data, p->size);
    }
    return d->fifo_count ? image_writer_put(w, d->sink, err) : 0;
}

/* ---- restore ---- */

struct plan {
    const FileEntry *path;
    uint32_t capacity;
    bool written;       /* there are writers, or there were */
    struct buf content; /* the arena's */
};

static const FileEntry *path_of(const struct restore *r, const FileEntry *entry)
{
    const FileEntry *path = restore_file(r, entry->fifo->regf_id);
    return path && path->reg && path->reg->name && path->reg->name[0] == '/' ? path : NULL;
}

static int make(struct maker *m, const struct hoarded *h, int root, struct error *err)
{
    const struct plan *p = h->state;
    uint32_t mode = p->written || p->content.size ? O_RDWR : O_RDONLY;
    int fd = maker_open_file(m, p->path, mode | O_NONBLOCK, err);
    if (fd < 0)
        return fd;
    batch_reset(m->batch);
    if (p->capacity && maker_call(m, err, "set the size of a FIFO", SYS_fcntl, (uint64_t)fd,
                                  F_SETPIPE_SZ, p->capacity) < 0)
        return -err->code;
    for (size_t done = 0; done < p->content.size;) {
        size_t left = p->content.size - done, step = left < 65536 ? left : 65536;
        batch_reset(m->batch);
        remote_addr at = batch_data(m->batch, p->content.data + done, step);
        int64_t n = maker_call(m, err, "fill a FIFO", SYS_write, (uint64_t)fd, at, step);
        if (n <= 0)
            return n < 0 ? (int)n : error_set(err, EIO, "cannot fill a FIFO");
        done += (size_t)n;
    }
    return fd;
}

static const struct hoard_type fifo_type = {make, NULL};

static struct plan *plan_of(struct restore *r, uint32_t id)
{
    const struct hoarded *h = hoard_find(r, &fifo_type, id);
    return h ? (struct plan *)h->state : NULL;
}

static int load_content(struct restore *r, struct image_reader *reader, struct error *err)
{
    _cleanup_message_ PipeDataEntry *e = NULL;
    int n = image_next(reader, (void **)&e, err);
    if (n <= 0)
        return n;
    struct plan *p = plan_of(r, e->pipe_id);
    if (e->bytes > CONTENT_MAX || !p || p->content.data)
        return image_error(reader, err, "it has content of a FIFO that cannot be");
    p->capacity = e->size;
    p->content.data = arena_alloc(r->arena, e->bytes + 1);
    p->content.size = e->bytes;
    n = image_raw(reader, p->content.data, e->bytes, err);
    return n < 0 ? n : 1;
}

int fifo_load(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < r->file_count; i++) {
        const FileEntry *f = r->files[i];
        if (!f->fifo)
            continue;
        const FileEntry *path = path_of(r, f);
        if (!path)
            return error_set(err, EINVAL, "the checkpoint's FIFO %u has no path", f->id);
        struct plan *p = plan_of(r, f->fifo->pipe_id);
        if (!p) {
            p = arena_new_of(r->arena, struct plan);
            p->path = path;
            hoard_add(r, &fifo_type, f->fifo->pipe_id, p);
        }
        const struct json *extra = extra_find(r->extra, "fifos", f->id);
        p->written = p->written || (path->reg->flags & O_ACCMODE) != O_RDONLY ||
                     js_get_bool(extra, "hangup", false);
    }
    if (!image_exists(r->dirfd, IMAGE_FIFO_DATA, 0))
        return 0;
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    int n = image_open(r->dirfd, IMAGE_FIFO_DATA, 0, &reader, err);
    while (n >= 0 && (n = load_content(r, reader, err)) > 0)
        ;
    return n;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const FileEntry *path = entry->fifo ? path_of(m->restore, entry) : NULL;
    if (!path)
        return error_set(err, EINVAL, "the checkpoint's FIFO %u is not described", entry->id);
    uint32_t flags = path->reg->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC);
    int fd = maker_open_file(m, path, flags | O_NONBLOCK, err);
    if (fd < 0 || flags & (O_NONBLOCK | O_PATH))
        return fd;
    int64_t n = maker_call(m, err, "set flags", SYS_fcntl, (uint64_t)fd, F_SETFL, flags);
    return n < 0 ? (int)n : fd;
}

const struct resource resource_fifo = {
    .name = "FIFO",
    .type = FD_TYPES__FIFO,
    .match = match,
    .dump = dump,
    .restore = restore,
};
