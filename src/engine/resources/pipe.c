/* Pipes, with what stands in them. Those that lead to the container's monitor are its standard
 * descriptors: the restored init brings new ones along. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

static bool match(const struct descriptor *f)
{
    return S_ISFIFO(f->st.st_mode) && string_starts(f->link, "pipe:[");
}

static struct pipe_state *find_pipe(struct dump *d, uint32_t id)
{
    for (size_t i = 0; i < d->pipe_count; i++)
        if (d->pipes[i].id == id)
            return &d->pipes[i];
    array_reserve(d->pipes, d->pipe_count, d->pipe_room);
    d->pipes[d->pipe_count] = (struct pipe_state){.id = id};
    return &d->pipes[d->pipe_count++];
}

/* A read ends where a packet (O_DIRECT) ends, so each read is one write when it comes back. */
static int read_packets(struct dump *d, int fd, struct pipe_state *p, size_t size)
{
    p->data = arena_alloc(d->arena, size);
    p->packets = arena_array_of(d->arena, size_t, size);
    while (p->size < size) {
        ssize_t n = read(fd, (char *)p->data + p->size, size - p->size);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        p->packets[p->packet_count++] = (size_t)n;
        p->size += (size_t)n;
    }
    return 0;
}

/* Reads without taking anything out: tee(2) into a pipe of our own. */
int pipe_read_content(struct dump *d, int fd, struct pipe_state *p)
{
    int waiting = 0, capacity = fcntl(fd, F_GETPIPE_SZ);
    if (ioctl(fd, FIONREAD, &waiting) < 0 || capacity < 0)
        return -errno;
    p->capacity = (uint32_t)capacity;
    if (waiting == 0)
        return 0;
    int own[2];
    if (pipe2(own, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    _cleanup_close_ int from = own[0], to = own[1];
    if (fcntl(to, F_SETPIPE_SZ, capacity) < 0)
        return -errno;
    ssize_t n = tee(fd, to, (size_t)waiting, SPLICE_F_NONBLOCK);
    if (n != waiting)
        return n < 0 ? -errno : -EIO;
    return read_packets(d, from, p, (size_t)n);
}

static int note_end(struct dump *d, const struct descriptor *f, const FileEntry *entry,
                    struct error *err)
{
    struct pipe_state *p = find_pipe(d, entry->pipe->pipe_id);
    if (descriptor_stdio(d, f) >= 0) {
        p->stdio = true;
        return 0;
    }
    _cleanup_close_ int fd = descriptor_borrow(f);
    if (fd < 0)
        return error_errno(err, -fd, "cannot look at %s", descriptor_name(d, f));
    bool reads = (f->flags & O_ACCMODE) != O_WRONLY, writes = (f->flags & O_ACCMODE) != O_RDONLY;
    struct pollfd poll_fd = {.fd = fd};
    poll(&poll_fd, 1, 0);
    p->peer_gone = p->peer_gone || poll_fd.revents & (POLLHUP | POLLERR);
    int r = reads && !p->reader ? pipe_read_content(d, fd, p) : 0;
    p->reader = p->reader || reads;
    p->writer = p->writer || writes;
    return r < 0 ? error_errno(err, -r, "cannot read %s (%s)", descriptor_name(d, f), f->link) : 0;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    PipeEntry *pipe = arena_new_of(d->arena, PipeEntry);
    pipe_entry__init(pipe);
    pipe->id = entry->id;
    pipe->pipe_id = (uint32_t)f->st.st_ino;
    pipe->flags = f->flags;
    pipe->fown = descriptor_owner(d, f);
    entry->type = FD_TYPES__PIPE;
    entry->pipe = pipe;
    return note_end(d, f, entry, err);
}

/* Whether the holder of a file hangs under init; else it came into the container by exec. */
static bool holder_is_inits(struct dump *d, const struct file *file)
{
    const struct task *t = tree_find_pid(&d->tree, file->holder);
    while (t && t->parent_task)
        t = t->parent_task;
    return t == &d->tree.tasks[0];
}

/* A process that came by exec had its standard descriptors from a client that ends with the
 * container: in the checkpoint they are /dev/null. */
static void become_null(struct dump *d, FileEntry *entry)
{
    RegFileEntry *reg = arena_new_of(d->arena, RegFileEntry);
    reg_file_entry__init(reg);
    reg->id = entry->id;
    reg->flags = entry->pipe->flags & (O_ACCMODE | O_NONBLOCK | O_APPEND);
    reg->fown = entry->pipe->fown;
    reg->name = arena_strdup(d->arena, "/dev/null");
    reg->has_mode = true;
    reg->mode = S_IFCHR | 0666;
    entry->type = FD_TYPES__REG;
    entry->reg = reg;
    entry->pipe = NULL;
}

int pipe_settle_outside(struct dump *d, struct error *)
{
    for (size_t i = 0; i < d->file_count; i++) {
        struct file *file = &d->files[i];
        if (!file->entry->pipe)
            continue;
        const struct pipe_state *p = find_pipe(d, file->entry->pipe->pipe_id);
        if (p->stdio || p->peer_gone || (p->reader && p->writer))
            continue;
        const struct task *t = tree_find_pid(&d->tree, file->holder);
        if (holder_is_inits(d, file))
            dump_refuse(d, t,
                        "has fd %d, a pipe whose other end is held by a process outside the "
                        "container",
                        file->fd);
        else
            become_null(d, file->entry);
    }
    for (size_t i = 0; i < d->tree.count; i++)
        for (size_t j = 0; j < d->tree.tasks[i].fd_count; j++) {
            FdinfoEntry *e = d->tree.tasks[i].fds[j];
            if (e->type == FD_TYPES__PIPE && !d->files[e->id - 1].entry->pipe)
                e->type = FD_TYPES__REG;
        }
    return 0;
}

int pipe_write_images(struct dump *d, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_PIPES_DATA, 0);
    for (size_t i = 0; i < d->pipe_count; i++) {
        const struct pipe_state *p = &d->pipes[i];
        if (p->stdio || !p->reader)
            continue;
        const char *data = p->data;
        for (size_t j = 0; j == 0 || j < p->packet_count; j++) {
            PipeDataEntry e = PIPE_DATA_ENTRY__INIT;
            e.pipe_id = p->id;
            e.bytes = p->packet_count ? (uint32_t)p->packets[j] : 0;
            e.has_size = true;
            e.size = p->capacity;
            image_writer_add(w, &e);
            image_writer_raw(w, data, e.bytes);
            data += e.bytes;
        }
    }
    return image_writer_put(w, d->sink, err);
}

/* ---- restore ---- */

static int fill_packet(struct maker *m, const char *data, size_t size, int write_end,
                       struct error *err)
{
    for (size_t done = 0; done < size;) {
        size_t step = size - done < 65536 ? size - done : 65536;
        batch_reset(m->batch);
        remote_addr at = batch_data(m->batch, data + done, step);
        int64_t n = maker_call(m, err, "fill a pipe", SYS_write, (uint64_t)write_end, at, step);
        if (n != (int64_t)step)
            return n < 0 ? (int)n : error_set(err, EIO, "cannot fill a pipe");
        done += step;
    }
    return 0;
}

/* All entries of this pipe; several of them are packets. */
static int fill(struct maker *m, uint32_t id, int write_end, struct error *err)
{
    const struct restore *r = m->restore;
    size_t count = 0;
    uint32_t capacity = 0;
    for (size_t i = 0; i < r->pipe_count; i++)
        if (r->pipes[i].id == id)
            count++, capacity = r->pipes[i].capacity;
    if (capacity && maker_call(m, err, "set the size of a pipe", SYS_fcntl, (uint64_t)write_end,
                               F_SETPIPE_SZ, capacity) < 0)
        return -err->code;
    if (count > 1 && maker_call(m, err, "set packet mode", SYS_fcntl, (uint64_t)write_end, F_SETFL,
                                O_DIRECT) < 0)
        return -err->code;
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->pipe_count; i++)
        if (r->pipes[i].id == id)
            n = fill_packet(m, r->pipes[i].data, r->pipes[i].size, write_end, err);
    return n;
}

/* Both ends are made at once and parked in the process that needs one first. Every description is
 * then opened on them; they are closed when all files of all processes are made. */
static int make_pair(struct maker *m, uint32_t id, struct error *err)
{
    batch_reset(m->batch);
    remote_addr at = batch_room(m->batch, 2 * sizeof(int));
    int64_t r = maker_call(m, err, "create a pipe", SYS_pipe2, at, O_CLOEXEC);
    if (r < 0)
        return (int)r;
    const int *ends = batch_local(m->batch, at);
    int write_low = ends[1], read_end = maker_raise(m, ends[0], err);
    int write_end = read_end < 0 ? read_end : maker_raise(m, write_low, err);
    if (write_end < 0)
        return write_end;
    const CredsEntry *creds = m->task->threads[0].core->thread_core->creds;
    maker_call(m, NULL, "give a pipe its owner", SYS_fchown, (uint64_t)read_end, creds->euid,
               creds->egid);
    restore_park(m->restore, id, m->task, read_end, write_end);
    return fill(m, id, write_end, err);
}

/* A description of its own on the pipe, as open(2) of a FIFO gives one. */
static int open_end(struct maker *m, int fd, uint32_t flags, struct error *err)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int end = maker_open(m, path, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND), err);
    maker_call(m, NULL, "close a pipe", SYS_close, (uint64_t)fd);
    /* open(2) refuses O_DIRECT for a pipe, F_SETFL takes it. */
    if (end >= 0 && flags & O_DIRECT)
        maker_call(m, NULL, "set packet mode", SYS_fcntl, (uint64_t)end, F_SETFL,
                   flags & (O_NONBLOCK | O_APPEND | O_DIRECT));
    return end;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    if (!entry->pipe)
        return error_set(err, EINVAL, "the checkpoint's pipe %u is not described", entry->id);
    uint32_t id = entry->pipe->pipe_id, flags = entry->pipe->flags;
    int stdio = restore_stdio_pipe(m->restore, id);
    if (stdio >= 0)
        return maker_stdio(m, stdio, flags, err);
    const struct parked_pipe *p = restore_parked(m->restore, id);
    if (!p) {
        int r = make_pair(m, id, err);
        if (r < 0)
            return r;
        p = restore_parked(m->restore, id);
    }
    bool writes = (flags & O_ACCMODE) == O_WRONLY;
    int fd = maker_fetch_from(m, p->task, writes ? p->write_end : p->read_end, err);
    return fd < 0 ? fd : open_end(m, fd, flags, err);
}

const struct resource resource_pipe = {
    .name = "pipe",
    .type = FD_TYPES__PIPE,
    .match = match,
    .dump = dump,
    .restore = restore,
};
