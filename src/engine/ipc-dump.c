#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/ipc-settings.h"
#include "engine/ipc.h"
#include "engine/restore.h"

#define MESSAGE_MAX (64u << 20)

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

union semaphore_argument {
    int value;
    struct semid_ds *set;
    struct seminfo *info;
    unsigned short *values;
};

struct look {
    struct dump *d;
    int file; /* where the child writes objects and their content */
};

/* ---- in the child ---- */

static int put(struct look *l, struct ipc_object *o, const void *content)
{
    int r = write_full(l->file, o, sizeof(*o));
    return r < 0 || !o->bytes ? r : write_full(l->file, content, o->bytes);
}

static struct ipc_object describe(int id, const struct ipc_perm *p)
{
    return (struct ipc_object){.id = (uint32_t)id,
                               .key = (uint32_t)p->__key,
                               .mode = p->mode,
                               .uid = p->uid,
                               .gid = p->gid,
                               .cuid = p->cuid,
                               .cgid = p->cgid};
}

static int look_at_segments(struct look *l)
{
    struct shm_info info;
    struct shmid_ds s;
    int highest = shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info), r = 0;
    for (int i = 0; r == 0 && i <= highest; i++) {
        int id = shmctl(i, SHM_STAT_ANY, &s);
        if (id < 0)
            continue;
        struct ipc_object o = describe(id, &s.shm_perm);
        void *at = shmat(id, NULL, SHM_RDONLY);
        if (at == (void *)-1)
            return -errno;
        o.kind = IPC_SEGMENT;
        o.size = s.shm_segsz;
        o.address = (uint64_t)(uintptr_t)at;
        r = put(l, &o, NULL);
    }
    return r;
}

static int look_at_semaphores(struct look *l)
{
    struct seminfo info;
    struct semid_ds s;
    int highest = semctl(0, 0, SEM_INFO, (union semaphore_argument){.info = &info}), r = 0;
    for (int i = 0; r == 0 && i <= highest; i++) {
        int id = semctl(i, 0, SEM_STAT, (union semaphore_argument){.set = &s});
        if (id < 0)
            continue;
        struct ipc_object o = describe(id, &s.sem_perm);
        _cleanup_free_ unsigned short *values = xcalloc(s.sem_nsems, sizeof(*values));
        if (semctl(id, 0, GETALL, (union semaphore_argument){.values = values}) < 0)
            return -errno;
        o.kind = IPC_SEMAPHORES;
        o.size = s.sem_nsems;
        o.bytes = s.sem_nsems * sizeof(*values);
        r = put(l, &o, values);
    }
    return r;
}

/* MSG_COPY reads without taking the message out. */
static int copy_message(int id, long index, struct buf *to)
{
    size_t room = 64 * 1024;
    _cleanup_free_ struct msgbuf *m = NULL;
    for (;;) {
        m = xrealloc(m, sizeof(*m) + room);
        ssize_t n = msgrcv(id, m, room, index, IPC_NOWAIT | MSG_COPY);
        if (n < 0 && errno == E2BIG && room < MESSAGE_MAX) {
            room *= 2;
            continue;
        }
        if (n < 0)
            return -errno;
        struct ipc_message head = {m->mtype, (uint64_t)n};
        buf_add(to, &head, sizeof(head));
        buf_add(to, m->mtext, (size_t)n);
        return 0;
    }
}

static int look_at_queues(struct look *l)
{
    struct msginfo info;
    struct msqid_ds s;
    int highest = msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&info), r = 0;
    for (int i = 0; r == 0 && i <= highest; i++) {
        int id = msgctl(i, MSG_STAT, &s);
        if (id < 0)
            continue;
        struct ipc_object o = describe(id, &s.msg_perm);
        _cleanup_buf_ struct buf messages = {0};
        for (unsigned long n = 0; r == 0 && n < s.msg_qnum; n++)
            r = copy_message(id, (long)n, &messages);
        o.kind = IPC_QUEUE;
        o.size = s.msg_qbytes;
        o.count = s.msg_qnum;
        o.bytes = messages.size;
        r = r < 0 ? r : put(l, &o, messages.data);
    }
    return r;
}

static int look_at_settings(struct look *l)
{
    _cleanup_buf_ struct buf lines = {0};
    ipc_settings_read(&lines);
    struct ipc_object o = {.kind = IPC_SETTINGS, .bytes = lines.size};
    return lines.size ? put(l, &o, lines.data) : 0;
}

static int look(void *context, struct error *err)
{
    int r = look_at_segments(context);
    if (r == 0)
        r = look_at_semaphores(context);
    if (r == 0)
        r = look_at_queues(context);
    if (r == 0)
        r = look_at_settings(context);
    return r < 0 ? error_errno(err, -r, "cannot look at System V objects") : 0;
}

/* ---- in our process ---- */

/* Only real root may open what a process has mapped; anybody reads the memory of his child. */
static int copy_segment(pid_t child, const struct ipc_object *o)
{
    char path[64], page[PAGE];
    snprintf(path, sizeof(path), "/proc/%d/mem", child);
    _cleanup_close_ int memory = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int copy = memfd_create("segment", MFD_CLOEXEC);
    if (memory < 0 || copy < 0)
        return -1;
    for (uint64_t at = 0; at < o->size; at += PAGE) {
        static const char zeros[PAGE];
        if (pread(memory, page, PAGE, (off_t)(o->address + at)) != (ssize_t)PAGE)
            return -1;
        if (memcmp(page, zeros, PAGE) != 0 && pwrite(copy, page, PAGE, (off_t)at) != (ssize_t)PAGE)
            return -1;
    }
    return take_fd(copy);
}

/* The child's attachment leads to the memory itself. */
static int open_segment(struct dump *d, pid_t child, const struct ipc_object *o, struct error *err)
{
    char path[128];
    uint64_t end = o->address + ((o->size + PAGE - 1) & ~(PAGE - 1));
    snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, child, o->address, end);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EPERM)
        fd = copy_segment(child, o);
    if (fd < 0)
        return error_errno(err, errno, "cannot open System V shared memory segment %u", o->id);
    array_reserve(d->shared, d->shared_count, d->shared_room);
    d->shared[d->shared_count++] = (struct shared_memory){.id = o->id, .fd = fd};
    return 0;
}

static int take_objects(pid_t child, void *context, struct error *err)
{
    struct look *l = context;
    struct dump *d = l->d;
    struct ipc_object o;
    ssize_t n;
    if (lseek(l->file, 0, SEEK_SET) < 0)
        return error_errno(err, errno, "cannot look at System V objects");
    while ((n = read_full(l->file, &o, sizeof(o))) == sizeof(o)) {
        char *content = arena_alloc(d->arena, o.bytes + 1);
        if (read_full(l->file, content, o.bytes) != (ssize_t)o.bytes)
            return error_set(err, EIO, "cannot look at System V objects");
        o.content = content;
        if (o.kind == IPC_SETTINGS) {
            ipc_settings_note(d, content);
            continue;
        }
        int r = o.kind == IPC_SEGMENT ? open_segment(d, child, &o, err) : 0;
        if (r < 0)
            return r;
        array_reserve(d->ipc, d->ipc_count, d->ipc_room);
        d->ipc[d->ipc_count++] = o;
    }
    return n < 0 ? error_errno(err, (int)-n, "cannot look at System V objects") : 0;
}

static int refuse_attached(struct dump *d, struct error *err)
{
    for (size_t i = 0; i < d->tree.count; i++) {
        const struct task *t = &d->tree.tasks[i];
        for (size_t j = 0; t->mm && j < t->mm->n_vmas; j++)
            if (t->mm->vmas[j]->status & VMA_SYSVIPC)
                return error_set(err, ENOTSUP,
                                 "process %d (%s) of container %s uses System V shared memory of "
                                 "the host, which firn cannot save: give the container an ipc "
                                 "namespace of its own",
                                 t->vpid, t->stat.comm, d->options.name);
    }
    return 0;
}

static bool has_settings(void)
{
    _cleanup_buf_ struct buf lines = {0};
    ipc_settings_read(&lines);
    return lines.size > 0;
}

static bool has_objects(void)
{
    struct shm_info segments = {0};
    struct seminfo semaphores = {0};
    struct msginfo queues = {0};
    return shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&segments) < 0 ||
           semctl(0, 0, SEM_INFO, (union semaphore_argument){.info = &semaphores}) < 0 ||
           msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&queues) < 0 || segments.used_ids ||
           semaphores.semusz || queues.msgpool || has_settings();
}

int dump_ipc(struct dump *d, struct error *err)
{
    if (!ipc_is_own(d->options.init))
        return refuse_attached(d, err);
    if (!ipc_may_have(d->options.init, has_objects))
        return 0;
    _cleanup_close_ int file = memfd_create("ipc", MFD_CLOEXEC);
    if (file < 0)
        return error_errno(err, errno, "cannot look at System V objects");
    struct look l = {.d = d, .file = file};
    int r = ipc_enter(d->options.init, look, take_objects, &l, err);
    return r < 0 ? error_wrap(err, "container %s", d->options.name) : 0;
}

/* ---- images ---- */

static void fill(IpcDescEntry *e, const struct ipc_object *o)
{
    ipc_desc_entry__init(e);
    e->key = o->key;
    e->uid = o->uid, e->gid = o->gid;
    e->cuid = o->cuid, e->cgid = o->cgid;
    e->mode = o->mode;
    e->id = o->id;
}

/* Raw content ends at a multiple of 8 bytes. */
static void add_padded(struct image_writer *w, const void *data, size_t size)
{
    const char zeros[8] = {0};
    image_writer_raw(w, data, size);
    image_writer_raw(w, zeros, -size % 8);
}

static void add_segment(struct image_writer *w, const struct ipc_object *o)
{
    IpcDescEntry desc;
    IpcShmEntry e = IPC_SHM_ENTRY__INIT;
    fill(&desc, o);
    e.desc = &desc;
    e.size = o->size;
    e.has_in_pagemaps = e.in_pagemaps = true;
    image_writer_add(w, &e);
}

static void add_semaphores(struct image_writer *w, const struct ipc_object *o)
{
    IpcDescEntry desc;
    IpcSemEntry e = IPC_SEM_ENTRY__INIT;
    fill(&desc, o);
    e.desc = &desc;
    e.nsems = (uint32_t)o->size;
    image_writer_add(w, &e);
    add_padded(w, o->content, o->bytes);
}

static void add_queue(struct image_writer *w, const struct ipc_object *o)
{
    IpcDescEntry desc;
    IpcMsgEntry e = IPC_MSG_ENTRY__INIT;
    fill(&desc, o);
    e.desc = &desc;
    e.qbytes = (uint32_t)o->size;
    e.qnum = (uint32_t)o->count;
    image_writer_add(w, &e);
    const char *at = o->content;
    for (uint64_t i = 0; i < o->count; i++) {
        struct ipc_message head;
        IpcMsg m = IPC_MSG__INIT;
        memcpy(&head, at, sizeof(head));
        m.mtype = (uint64_t)head.type;
        m.msize = (uint32_t)head.size;
        image_writer_add(w, &m);
        add_padded(w, at + sizeof(head), head.size);
        at += sizeof(head) + head.size;
    }
}

static const struct {
    enum image_kind image;
    void (*add)(struct image_writer *w, const struct ipc_object *o);
} kinds[] = {
    [IPC_SEGMENT] = {IMAGE_IPC_SHM, add_segment},
    [IPC_SEMAPHORES] = {IMAGE_IPC_SEM, add_semaphores},
    [IPC_QUEUE] = {IMAGE_IPC_MSG, add_queue},
};

int ipc_write_images(struct dump *d, struct error *err)
{
    int r = 0;
    for (size_t kind = 0; r == 0 && kind < ARRAY_LEN(kinds); kind++) {
        _cleanup_(image_writer_freep) struct image_writer *w =
            image_writer_new(kinds[kind].image, IPC_NAMESPACE_ID);
        size_t count = 0;
        for (size_t i = 0; i < d->ipc_count; i++)
            if (d->ipc[i].kind == kind && ++count)
                kinds[kind].add(w, &d->ipc[i]);
        r = count ? image_writer_put(w, d->sink, err) : 0;
    }
    return r;
}
