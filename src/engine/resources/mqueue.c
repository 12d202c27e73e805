#include "engine/resources/mqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/hoard.h"
#include "engine/ipc.h"

/* ipc/mqueue.c, include/linux/ipc_namespace.h */
#define FIRN_MQUEUE_MAGIC 0x19800202
#define MESSAGES_MAX      65536u
#define MESSAGE_SIZE_MAX  (16u << 20)
#define PRIORITY_MAX      32768u
#define CONTENT_MAX       (1ull << 30)

static bool match(const struct descriptor *f)
{
    char path[64];
    struct statfs fs;
    if (!S_ISREG(f->st.st_mode) || f->fd < 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", f->task->pid, f->fd);
    return statfs(path, &fs) == 0 && fs.f_type == FIRN_MQUEUE_MAGIC;
}

/* ---- dump ---- */

static struct mqueue *find(struct dump *d, dev_t dev, ino_t ino)
{
    for (size_t i = 0; i < d->mqueue_count; i++)
        if (d->mqueues[i].ino == ino && d->mqueues[i].dev == dev)
            return &d->mqueues[i];
    array_reserve(d->mqueues, d->mqueue_count, d->mqueue_room);
    struct mqueue *q = &d->mqueues[d->mqueue_count++];
    *q = (struct mqueue){.dev = dev, .ino = ino, .fd = -1};
    return q;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    struct mqueue *q = find(d, f->st.st_dev, f->st.st_ino);
    if (q->fd < 0 && (q->fd = descriptor_borrow(f)) < 0)
        return error_errno(err, -q->fd, "cannot look at %s", descriptor_name(d, f));
    snprintf(q->name, sizeof(q->name), "%.255s", strrchr(f->link, '/') + 1);
    q->unlinked = f->deleted;
    array_reserve(q->file_ids, q->file_count, q->file_room);
    q->file_ids[q->file_count++] = entry->id;
    RegFileEntry *reg = arena_new_of(d->arena, RegFileEntry);
    reg_file_entry__init(reg);
    reg->id = entry->id;
    reg->flags = f->flags;
    reg->fown = descriptor_owner(d, f);
    reg->name = arena_printf(d->arena, "/dev/mqueue/%s", q->name);
    reg->has_mode = true;
    reg->mode = f->st.st_mode;
    entry->type = FD_TYPES__REG;
    entry->reg = reg;
    return 0;
}

static int take_queue(struct dump *d, const struct mqueue *seen, const char *content,
                      struct error *err)
{
    const struct task *t = seen->notified ? tree_find_pid(&d->tree, seen->notified) : NULL;
    if (seen->notified)
        return error_set(err, ENOTSUP,
                         "process %d (%s) of container %s is to be notified of messages in the "
                         "queue /%s (mq_notify), which firn cannot save: the kernel does not tell "
                         "how",
                         t ? t->vpid : 0, t ? t->stat.comm : "?", d->options.name, seen->name);
    struct mqueue *q = find(d, seen->dev, seen->ino);
    int fd = q->fd;
    uint32_t *ids = q->file_ids;
    size_t count = q->file_count, room = q->file_room;
    *q = *seen;
    q->fd = fd;
    q->file_ids = ids, q->file_count = count, q->file_room = room;
    q->content = arena_memdup(d->arena, content, q->bytes);
    return 0;
}

static int take_queues(struct dump *d, int file, struct error *err)
{
    struct stat st;
    int r = 0;
    if (fstat(file, &st) < 0)
        return error_errno(err, errno, "cannot read the message queues");
    if (st.st_size == 0)
        return 0;
    const char *all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, file, 0);
    if (all == MAP_FAILED)
        return error_errno(err, errno, "cannot read the message queues");
    for (size_t at = 0; r == 0 && at < (size_t)st.st_size;) {
        const struct mqueue *q = (const void *)(all + at);
        size_t content = (at + sizeof(*q) + PAGE - 1) & -PAGE;
        r = take_queue(d, q, all + content, err);
        at = (content + q->bytes + PAGE - 1) & -PAGE;
    }
    munmap((void *)(uintptr_t)all, (size_t)st.st_size);
    return r;
}

int mqueues_look(struct dump *d, struct error *err)
{
    if (!ipc_is_own(d->options.init))
        return d->mqueue_count ? error_set(err, ENOTSUP,
                                           "container %s uses the message queue /%s of the host, "
                                           "which firn cannot save: give the container an ipc "
                                           "namespace of its own",
                                           d->options.name, d->mqueues[0].name)
                               : 0;
    _cleanup_close_ int file = memfd_create("mqueue", MFD_CLOEXEC);
    if (file < 0)
        return error_errno(err, errno, "cannot read the message queues");
    int r = mqueues_read(d->options.init, d->mqueues, d->mqueue_count, file, err);
    if (r < 0)
        return error_wrap(err, "container %s", d->options.name);
    return take_queues(d, file, err);
}

int mqueue_write_images(struct dump *d, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_MQUEUE, 0);
    for (size_t i = 0; i < d->mqueue_count; i++) {
        const struct mqueue *q = &d->mqueues[i];
        MqueueEntry e = MQUEUE_ENTRY__INIT;
        e.name = (char *)q->name;
        e.unlinked = q->unlinked;
        e.mode = q->mode, e.uid = q->uid, e.gid = q->gid;
        e.messages_max = q->messages_max, e.message_size = q->message_size;
        e.message_count = q->message_count;
        e.file_ids = q->file_ids, e.n_file_ids = q->file_count;
        image_writer_add(w, &e);
        for (uint64_t at = 0; at < q->bytes;) {
            struct mqueue_head head;
            MqueueMessage m = MQUEUE_MESSAGE__INIT;
            memcpy(&head, q->content + at, sizeof(head));
            m.priority = head.priority, m.size = head.size;
            image_writer_add(w, &m);
            image_writer_raw(w, q->content + at + sizeof(head), head.size);
            at += sizeof(head) + head.size;
        }
    }
    return d->mqueue_count ? image_writer_put(w, d->sink, err) : 0;
}

void mqueues_free(struct dump *d)
{
    for (size_t i = 0; i < d->mqueue_count; i++) {
        cleanup_close(&d->mqueues[i].fd);
        free(d->mqueues[i].file_ids);
    }
    free(d->mqueues);
}

/* ---- restore ---- */

static int create(struct maker *m, const struct mqueue *q, struct error *err)
{
    struct batch *b = m->batch;
    struct rlimit64 all = {RLIM64_INFINITY, RLIM64_INFINITY};
    struct mq_attr a = {.mq_maxmsg = q->messages_max, .mq_msgsize = q->message_size};
    batch_reset(b);
    batch_try(b, SYS_prlimit64, 0, RLIMIT_MSGQUEUE, batch_data(b, &all, sizeof(all)), 0);
    remote_addr name = batch_string(b, q->name);
    size_t call = batch_try(b, SYS_mq_open, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
                            batch_data(b, &a, sizeof(a)));
    if (q->unlinked)
        batch_try(b, SYS_mq_unlink, name);
    int n = batch_run(b, err);
    if (n < 0)
        return n;
    int64_t fd = batch_result(b, call);
    if (fd < 0)
        return error_errno(err, (int)-fd,
                           "cannot make message queue /%s with %u messages of %u bytes again "
                           "(fs.mqueue.msg_max, fs.mqueue.msgsize_max, ulimit -q)",
                           q->name, q->messages_max, q->message_size);
    return (int)fd;
}

static int fill(const struct mqueue *q, int queue)
{
    for (uint64_t at = 0; at < q->bytes;) {
        struct mqueue_head head;
        memcpy(&head, q->content + at, sizeof(head));
        at += sizeof(head);
        if (mq_send(queue, q->content + at, head.size, head.priority) < 0)
            return -errno;
        at += head.size;
    }
    if (fchown(queue, q->uid, q->gid) < 0 || fchmod(queue, q->mode) < 0)
        return -errno;
    return 0;
}

static int make(struct maker *m, const struct hoarded *h, int root, struct error *err)
{
    const struct mqueue *q = h->state;
    char path[64];
    int fd = create(m, q, err);
    if (fd < 0)
        return fd;
    const struct descriptor made = {.task = &(struct task){.pid = m->restore->init}, .fd = fd};
    _cleanup_close_ int queue = descriptor_borrow(&made);
    int n = queue < 0 ? queue : fill(q, queue);
    if (n < 0)
        return error_errno(err, -n, "cannot fill message queue /%s again", q->name);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = maker_open(m, path, O_PATH, err);
    batch_reset(m->batch);
    maker_call(m, NULL, "close a message queue", SYS_close, (uint64_t)fd);
    return again;
}

static const struct hoard_type mqueue_type = {make, NULL};

static bool is_sane(const MqueueEntry *e)
{
    return e->name[0] && e->name[0] != '.' && strlen(e->name) <= NAME_MAX &&
           !strchr(e->name, '/') && e->messages_max && e->messages_max <= MESSAGES_MAX &&
           e->message_size && e->message_size <= MESSAGE_SIZE_MAX &&
           e->message_count <= e->messages_max && e->mode <= 07777;
}

static int load_message(struct image_reader *reader, const MqueueEntry *e, struct buf *to,
                        struct error *err)
{
    _cleanup_message_ MqueueMessage *m = NULL;
    int n = image_next_as(reader, &mqueue_message__descriptor, (void **)&m, err);
    if (n <= 0)
        return n < 0 ? n : image_error(reader, err, "it ends too early, the file is truncated");
    if (m->priority >= PRIORITY_MAX || m->size > e->message_size || to->size > CONTENT_MAX)
        return image_error(reader, err, "it has a message that cannot be");
    struct mqueue_head head = {m->priority, m->size};
    buf_add(to, &head, sizeof(head));
    n = image_raw(reader, buf_reserve(to, head.size + 1), head.size, err);
    to->size += n == 0 ? head.size : 0;
    return n;
}

static int load_queue(struct restore *r, struct image_reader *reader, struct error *err)
{
    _cleanup_message_ MqueueEntry *e = NULL;
    _cleanup_buf_ struct buf content = {0};
    int n = image_next(reader, (void **)&e, err);
    if (n <= 0)
        return n;
    if (!is_sane(e))
        return image_error(reader, err, "it has a queue that cannot be");
    for (uint32_t i = 0; n >= 0 && i < e->message_count; i++)
        n = load_message(reader, e, &content, err);
    if (n < 0)
        return n;
    struct mqueue *q = arena_new_of(r->arena, struct mqueue);
    *q = (struct mqueue){.unlinked = e->unlinked,
                         .mode = e->mode,
                         .uid = e->uid,
                         .gid = e->gid,
                         .messages_max = e->messages_max,
                         .message_size = e->message_size,
                         .bytes = content.size,
                         .content = arena_memdup(r->arena, content.data, content.size)};
    snprintf(q->name, sizeof(q->name), "%s", e->name);
    uint64_t id = r->hoard_count;
    hoard_add(r, &mqueue_type, id, q);
    for (size_t i = 0; i < e->n_file_ids; i++) {
        const FileEntry *f = restore_file(r, e->file_ids[i]);
        if (!f || !f->reg)
            return image_error(reader, err, "it has a queue that is open as file %u, which is none",
                               e->file_ids[i]);
        hoard_bind(r, f, hoard_find(r, &mqueue_type, id));
    }
    return 1;
}

int mqueue_load(struct restore *r, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    if (!image_exists(r->dirfd, IMAGE_MQUEUE, 0))
        return 0;
    int n = image_open(r->dirfd, IMAGE_MQUEUE, 0, &reader, err);
    while (n >= 0 && (n = load_queue(r, reader, err)) > 0)
        ;
    return n;
}

const struct resource resource_mqueue = {
    .name = "message queue",
    .type = FD_TYPES__REG,
    .match = match,
    .dump = dump,
};
