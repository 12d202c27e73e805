#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/ipc.h"
#include "engine/restore.h"

#define SEGMENT_MAX    (1ull << 46)
#define SEMAPHORES_MAX 32000u
#define MESSAGE_MAX    (64u << 20)
#define MODE_DELETED   SHM_DEST

/* ---- reading ---- */

static int add(struct restore *r, int kind, const IpcDescEntry *desc, uint64_t size,
               struct ipc_object **ret, struct image_reader *reader, struct error *err)
{
    if (!desc || desc->id > INT32_MAX)
        return image_error(reader, err, "it has an object that cannot be");
    array_reserve(r->ipc, r->ipc_count, r->ipc_room);
    *ret = &r->ipc[r->ipc_count++];
    **ret = (struct ipc_object){.kind = kind,
                                .id = desc->id,
                                .key = desc->key,
                                .mode = desc->mode,
                                .uid = desc->uid,
                                .gid = desc->gid,
                                .cuid = desc->cuid,
                                .cgid = desc->cgid,
                                .size = size};
    return 0;
}

static int read_segment(struct restore *r, struct image_reader *reader, struct error *err)
{
    _cleanup_message_ IpcShmEntry *e = NULL;
    struct ipc_object *o;
    int n = image_next(reader, (void **)&e, err);
    if (n <= 0)
        return n;
    if (!e->in_pagemaps || (e->has_hugetlb_flag && e->hugetlb_flag))
        return error_set(err, ENOTSUP,
                         "the checkpoint has a System V shared memory segment of a kind that firn "
                         "cannot restore");
    if (!e->size || e->size > SEGMENT_MAX)
        return image_error(reader, err, "a segment of such a size cannot be");
    n = add(r, IPC_SEGMENT, e->desc, e->size, &o, reader, err);
    if (n < 0)
        return n;
    array_reserve(r->nurseries, r->nursery_count, r->nursery_room);
    r->nurseries[r->nursery_count++] = (struct nursery){
        .shmid = o->id, .size = (o->size + PAGE - 1) & ~(PAGE - 1), .segment = true};
    return 1;
}

static int read_padded(struct image_reader *reader, struct buf *to, size_t size, struct error *err)
{
    int n = image_raw(reader, buf_reserve(to, size ? size : 1), size, err);
    if (n < 0)
        return n;
    to->size += size;
    return image_raw_skip(reader, -size % 8, err);
}

static void keep(struct restore *r, struct ipc_object *o, const struct buf *content)
{
    o->bytes = content->size;
    o->content = arena_memdup(r->arena, content->data, content->size);
}

static int read_semaphores(struct restore *r, struct image_reader *reader, struct error *err)
{
    _cleanup_message_ IpcSemEntry *e = NULL;
    _cleanup_buf_ struct buf values = {0};
    struct ipc_object *o;
    int n = image_next(reader, (void **)&e, err);
    if (n <= 0)
        return n;
    if (!e->nsems || e->nsems > SEMAPHORES_MAX)
        return image_error(reader, err, "a set of so many semaphores cannot be");
    n = add(r, IPC_SEMAPHORES, e->desc, e->nsems, &o, reader, err);
    if (n == 0)
        n = read_padded(reader, &values, e->nsems * sizeof(unsigned short), err);
    if (n < 0)
        return n;
    keep(r, o, &values);
    return 1;
}

static int read_message(struct image_reader *reader, struct buf *to, struct error *err)
{
    _cleanup_message_ IpcMsg *m = NULL;
    int n = image_next_as(reader, &ipc_msg__descriptor, (void **)&m, err);
    if (n <= 0)
        return n < 0 ? n : image_error(reader, err, "it ends too early, the file is truncated");
    if (m->msize > MESSAGE_MAX || m->mtype == 0 || m->mtype > INT64_MAX)
        return image_error(reader, err, "it has a message that cannot be");
    struct ipc_message head = {(int64_t)m->mtype, m->msize};
    buf_add(to, &head, sizeof(head));
    return read_padded(reader, to, m->msize, err);
}

static int read_queue(struct restore *r, struct image_reader *reader, struct error *err)
{
    _cleanup_message_ IpcMsgEntry *e = NULL;
    _cleanup_buf_ struct buf messages = {0};
    struct ipc_object *o;
    int n = image_next(reader, (void **)&e, err);
    if (n <= 0)
        return n;
    n = add(r, IPC_QUEUE, e->desc, e->qbytes, &o, reader, err);
    for (uint32_t i = 0; n == 0 && i < e->qnum; i++)
        n = read_message(reader, &messages, err);
    if (n < 0)
        return n;
    o->count = e->qnum;
    keep(r, o, &messages);
    return 1;
}

static const struct {
    enum image_kind image;
    int (*read)(struct restore *r, struct image_reader *reader, struct error *err);
} kinds[] = {
    {IMAGE_IPC_SHM, read_segment},
    {IMAGE_IPC_SEM, read_semaphores},
    {IMAGE_IPC_MSG, read_queue},
};

static uint64_t namespace_id(const struct restore *r)
{
    const TaskKobjIdsEntry *ids = r->tree.count ? r->tree.tasks[0].threads[0].core->ids : NULL;
    return ids && ids->has_ipc_ns_id ? ids->ipc_ns_id : IPC_NAMESPACE_ID;
}

int ipc_load(struct restore *r, struct error *err)
{
    uint64_t ns = namespace_id(r);
    int n = 0;
    for (size_t i = 0; n >= 0 && i < ARRAY_LEN(kinds); i++) {
        _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
        if (!image_exists(r->dirfd, kinds[i].image, ns))
            continue;
        n = image_open(r->dirfd, kinds[i].image, ns, &reader, err);
        while (n >= 0 && (n = kinds[i].read(r, reader, err)) > 0)
            ;
    }
    return n < 0 ? n : 0;
}

/* ---- making, in a child inside the namespace ---- */

/* The next object gets this id. */
static int set_next_id(const char *file, uint32_t id)
{
    char path[64], text[16];
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", file);
    snprintf(text, sizeof(text), "%u", id);
    return file_write_existing(path, text);
}

static int make_segment(const struct ipc_object *o)
{
    key_t key = o->mode & MODE_DELETED ? IPC_PRIVATE : (key_t)o->key;
    return shmget(key, o->size, IPC_CREAT | IPC_EXCL | (o->mode & 0777));
}

static int finish_segment(const struct ipc_object *o, int id)
{
    struct shmid_ds s = {0};
    s.shm_perm.uid = o->uid, s.shm_perm.gid = o->gid;
    s.shm_perm.mode = o->mode & 0777;
    return shmctl(id, IPC_SET, &s) < 0 || (o->mode & SHM_LOCKED && shmctl(id, SHM_LOCK, NULL) < 0)
               ? -errno
               : 0;
}

static int make_semaphores(const struct ipc_object *o)
{
    return semget((key_t)o->key, (int)o->size, IPC_CREAT | IPC_EXCL | (o->mode & 0777));
}

static int finish_semaphores(const struct ipc_object *o, int id)
{
    struct semid_ds s = {0};
    union {
        struct semid_ds *set;
        const void *values;
    } argument = {.set = &s};
    s.sem_perm.uid = o->uid, s.sem_perm.gid = o->gid;
    s.sem_perm.mode = o->mode & 0777;
    if (semctl(id, 0, IPC_SET, argument) < 0)
        return -errno;
    argument.values = o->content;
    return semctl(id, 0, SETALL, argument) < 0 ? -errno : 0;
}

static int make_queue(const struct ipc_object *o)
{
    return msgget((key_t)o->key, IPC_CREAT | IPC_EXCL | (o->mode & 0777));
}

static int finish_queue(const struct ipc_object *o, int id)
{
    struct msqid_ds s = {0};
    s.msg_perm.uid = o->uid, s.msg_perm.gid = o->gid;
    s.msg_perm.mode = o->mode & 0777;
    s.msg_qbytes = o->size;
    if (msgctl(id, IPC_SET, &s) < 0)
        return -errno;
    const char *at = o->content;
    for (uint64_t i = 0; i < o->count; i++) {
        struct ipc_message head;
        memcpy(&head, at, sizeof(head));
        _cleanup_free_ struct msgbuf *m = xmalloc(sizeof(*m) + head.size);
        m->mtype = head.type;
        memcpy(m->mtext, at + sizeof(head), head.size);
        if (msgsnd(id, m, head.size, IPC_NOWAIT) < 0)
            return -errno;
        at += sizeof(head) + head.size;
    }
    return 0;
}

static const struct {
    const char *what, *next_id;
    int (*make)(const struct ipc_object *o);
    int (*finish)(const struct ipc_object *o, int id);
} makers[] = {
    [IPC_SEGMENT] = {"shared memory segment", "shm_next_id", make_segment, finish_segment},
    [IPC_SEMAPHORES] = {"semaphores", "sem_next_id", make_semaphores, finish_semaphores},
    [IPC_QUEUE] = {"message queue", "msg_next_id", make_queue, finish_queue},
};

/* Who makes an object is its creator for ever. */
static int make_as_creator(const struct ipc_object *o)
{
    if (setresgid((gid_t)-1, o->cgid, (gid_t)-1) < 0 ||
        setresuid((uid_t)-1, o->cuid, (uid_t)-1) < 0)
        return -errno;
    int id = makers[o->kind].make(o), code = errno;
    if (setresuid((uid_t)-1, 0, (uid_t)-1) < 0 || setresgid((gid_t)-1, 0, (gid_t)-1) < 0)
        return -errno;
    return id < 0 ? -code : id;
}

static int make_one(const struct ipc_object *o, struct error *err)
{
    const char *what = makers[o->kind].what;
    int n = set_next_id(makers[o->kind].next_id, o->id);
    if (n < 0)
        return error_errno(err, -n, "cannot choose the id of a System V object");
    int id = make_as_creator(o);
    if (id >= 0 && (uint32_t)id != o->id)
        return error_set(err, EEXIST, "cannot make System V %s %u with its id", what, o->id);
    n = id < 0 ? id : makers[o->kind].finish(o, id);
    return n < 0 ? error_errno(err, -n, "cannot make System V %s %u again", what, o->id) : 0;
}

static int make_all(void *context, struct error *err)
{
    const struct restore *r = context;
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->ipc_count; i++)
        n = make_one(&r->ipc[i], err);
    return n;
}

int restore_ipc(struct restore *r, struct error *err)
{
    return r->ipc_count ? ipc_enter(r->init, make_all, NULL, r, err) : 0;
}

static int delete_all(void *context, struct error *err)
{
    const struct restore *r = context;
    for (size_t i = 0; i < r->ipc_count; i++)
        if (r->ipc[i].kind == IPC_SEGMENT && r->ipc[i].mode & MODE_DELETED &&
            shmctl((int)r->ipc[i].id, IPC_RMID, NULL) < 0)
            return error_errno(err, errno, "cannot delete System V shared memory segment %u",
                               r->ipc[i].id);
    return 0;
}

int restore_ipc_deleted(struct restore *r, struct error *err)
{
    bool any = false;
    for (size_t i = 0; i < r->ipc_count; i++)
        any = any || (r->ipc[i].kind == IPC_SEGMENT && r->ipc[i].mode & MODE_DELETED);
    return any ? ipc_enter(r->init, delete_all, NULL, r, err) : 0;
}
