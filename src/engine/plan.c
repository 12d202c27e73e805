/* Reads all images but the pages into memory. Nothing is done to any process here. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/ghost.h"
#include "engine/ipc.h"
#include "engine/locks.h"
#include "engine/restore.h"

enum { TASK_STATE_STOPPED = 3, TASK_STATE_ZOMBIE = 6, TASK_STATE_DEAD = 2 };

/* Kept until the restore ends. */
static int load(struct restore *r, enum image_kind kind, uint64_t number, bool must,
                struct image **ret, struct error *err)
{
    struct loaded *l = &r->loaded;
    struct image *image = NULL;
    int n = must ? image_load(r->dirfd, kind, number, &image, err)
                 : image_load_if(r->dirfd, kind, number, &image, err);
    if (n < 0)
        return n;
    array_reserve(l->images, l->image_count, l->image_room);
    l->images[l->image_count++] = image;
    *ret = image;
    return 0;
}

static int get(struct restore *r, enum image_kind kind, uint64_t number, void *ret,
               struct error *err)
{
    struct loaded *l = &r->loaded;
    void *message = NULL;
    int n = image_get(r->dirfd, kind, number, &message, err);
    if (n < 0)
        return n;
    array_reserve(l->messages, l->message_count, l->message_room);
    l->messages[l->message_count++] = message;
    *(void **)ret = message;
    return 0;
}

static int load_threads(struct restore *r, struct task *t, const PstreeEntry *e, struct error *err)
{
    t->thread_count = e->n_threads;
    t->threads = arena_array_of(r->arena, struct thread, t->thread_count);
    for (size_t i = 0; i < t->thread_count; i++) {
        struct thread *th = &t->threads[i];
        th->puppet.vtid = (pid_t)e->threads[i];
        int n = get(r, IMAGE_CORE, e->threads[i], &th->core, err);
        if (n < 0)
            return n;
        if (!th->core->thread_core || (i == 0 && !th->core->tc))
            return error_set(err, EINVAL, "core-%u.img of the checkpoint is not complete",
                             e->threads[i]);
    }
    return 0;
}

static int load_zombie(struct restore *r, struct task *t, struct error *err)
{
    t->threads = arena_array_of(r->arena, struct thread, 1);
    t->thread_count = 1;
    t->threads[0].puppet.vtid = t->vpid;
    return get(r, IMAGE_CORE, (uint64_t)t->vpid, &t->threads[0].core, err);
}

/* Among the processes read so far; every process has its `ids`. */
static void find_sharers(struct restore *r, struct task *t, const TaskKobjIdsEntry *ids)
{
    t->ids = ids;
    for (size_t i = 0; i < r->tree.count; i++) {
        struct task *other = &r->tree.tasks[i];
        const bool same[SHARE_KINDS] = {
            [SHARE_MEMORY] = other->ids && other->ids->vm_id == ids->vm_id,
            [SHARE_FILES] = other->ids && other->ids->files_id == ids->files_id,
            [SHARE_DIRECTORIES] = other->ids && other->ids->fs_id == ids->fs_id,
            [SHARE_ACTIONS] = other->ids && other->ids->sighand_id == ids->sighand_id,
        };
        for (size_t k = 0; k < SHARE_KINDS; k++)
            if (same[k] && !t->shared[k])
                t->shared[k] = other;
    }
}

static int load_alive(struct restore *r, struct task *t, const PstreeEntry *e, struct error *err)
{
    int n = load_threads(r, t, e, err);
    if (n == 0)
        n = get(r, IMAGE_MM, e->pid, &t->mm, err);
    if (n == 0)
        n = get(r, IMAGE_FS, e->pid, &t->fs, err);
    if (n < 0)
        return n;
    TaskKobjIdsEntry *ids = t->threads[0].core->ids;
    if (!ids && (n = get(r, IMAGE_IDS, e->pid, &ids, err)) < 0)
        return n;
    find_sharers(r, t, ids);
    t->files_id = ids->files_id;
    struct image *fds;
    n = load(r, IMAGE_FDINFO, ids->files_id, true, &fds, err);
    if (n < 0)
        return n;
    t->fds = (FdinfoEntry **)fds->messages;
    t->fd_count = fds->count;
    return 0;
}

/* A zombie has no memory and no descriptors: only its core, read first to know. */
static int load_task(struct restore *r, struct task *t, const PstreeEntry *e, struct error *err)
{
    t->vpid = (pid_t)e->pid;
    t->parent = (pid_t)e->ppid;
    t->group = (pid_t)e->pgid;
    t->session = (pid_t)e->sid;
    if (e->n_threads == 0)
        return error_set(err, EINVAL, "pstree.img of the checkpoint lists no thread of process %u",
                         e->pid);
    int n = load_zombie(r, t, err);
    if (n < 0)
        return n;
    const TaskCoreEntry *tc = t->threads[0].core->tc;
    if (!tc)
        return error_set(err, EINVAL, "core-%u.img of the checkpoint is not complete", e->pid);
    if (tc->task_state == TASK_STATE_ZOMBIE || tc->task_state == TASK_STATE_DEAD) {
        t->state = TASK_ZOMBIE;
        return 0;
    }
    t->state = tc->task_state == TASK_STATE_STOPPED ? TASK_STOPPED : TASK_ALIVE;
    t->stop_signal = (int)tc->stop_signo;
    return load_alive(r, t, e, err);
}

static int load_tree(struct restore *r, struct error *err)
{
    struct image *pstree;
    int n = load(r, IMAGE_PSTREE, 0, true, &pstree, err);
    if (n < 0)
        return n;
    r->tree.tasks = arena_array_of(r->arena, struct task, pstree->count);
    for (size_t i = 0; n == 0 && i < pstree->count; i++) {
        n = load_task(r, &r->tree.tasks[i], pstree->messages[i], err);
        r->tree.count++;
    }
    if (n == 0)
        tree_index(&r->tree, r->arena);
    if (n == 0)
        tree_link(&r->tree);
    return n;
}

static int compare_files(const void *a, const void *b)
{
    uint32_t x = (*(FileEntry *const *)a)->id, y = (*(FileEntry *const *)b)->id;
    return x < y ? -1 : x > y;
}

struct offer *restore_offer(const struct restore *r, uint32_t id)
{
    FileEntry key = FILE_ENTRY__INIT;
    key.id = id;
    FileEntry *wanted = &key;
    FileEntry **found =
        r->file_count ? bsearch(&wanted, r->files, r->file_count, sizeof(*r->files), compare_files)
                      : NULL;
    return found ? &r->offers[found - r->files] : NULL;
}

FileEntry *restore_file(const struct restore *r, uint32_t id)
{
    const struct offer *offer = restore_offer(r, id);
    return offer ? r->files[offer - r->offers] : NULL;
}

static int load_files(struct restore *r, struct error *err)
{
    struct image *files;
    int n = load(r, IMAGE_FILES, 0, false, &files, err);
    if (n < 0)
        return n;
    r->files = (FileEntry **)files->messages;
    r->file_count = files->count;
    if (r->file_count)
        qsort(r->files, r->file_count, sizeof(*r->files), compare_files);
    r->offers = arena_array_of(r->arena, struct offer, r->file_count);
    return load(r, IMAGE_TTY_INFO, 0, false, &r->ttys, err);
}

#define PIPE_DATA_MAX (64u << 20)

static int load_pipe(struct restore *r, struct image_reader *reader, struct error *err)
{
    _cleanup_message_ PipeDataEntry *e = NULL;
    int n = image_next(reader, (void **)&e, err);
    if (n <= 0)
        return n;
    if (e->bytes > PIPE_DATA_MAX)
        return image_error(reader, err, "a pipe with %u bytes cannot be", e->bytes);
    array_reserve(r->pipes, r->pipe_count, r->pipe_room);
    struct pipe_state *p = &r->pipes[r->pipe_count++];
    *p = (struct pipe_state){.id = e->pipe_id, .size = e->bytes, .capacity = e->size};
    p->data = arena_alloc(r->arena, p->size);
    n = image_raw(reader, p->data, p->size, err);
    return n < 0 ? n : 1;
}

static int load_pipes(struct restore *r, struct error *err)
{
    if (!image_exists(r->dirfd, IMAGE_PIPES_DATA, 0))
        return 0;
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    int n = image_open(r->dirfd, IMAGE_PIPES_DATA, 0, &reader, err);
    if (n < 0)
        return n;
    while ((n = load_pipe(r, reader, err)) > 0)
        ;
    return n;
}

const SeccompEntry *restore_seccomp(const struct restore *r)
{
    return r->seccomp;
}

static int load_extra(struct restore *r, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    if (faccessat(r->dirfd, EXTRA_FILE, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    int n = file_read_at(r->dirfd, EXTRA_FILE, 0, &text, err);
    return n < 0 ? n : js_parse(text.data, text.size, EXTRA_FILE, &r->extra, err);
}

int plan_load(struct restore *r, struct error *err)
{
    InventoryEntry *inventory;
    int n = get(r, IMAGE_INVENTORY, 0, &inventory, err);
    if (n < 0)
        return n;
    if (inventory->img_version != 1 && inventory->img_version != 2)
        return error_set(err, EINVAL, "the checkpoint has image version %u, firn knows 1 and 2",
                         inventory->img_version);
    n = load_tree(r, err);
    if (n == 0)
        n = load_files(r, err);
    if (n == 0)
        n = load_pipes(r, err);
    if (n == 0 && image_exists(r->dirfd, IMAGE_SECCOMP, 0))
        n = get(r, IMAGE_SECCOMP, 0, &r->seccomp, err);
    if (n == 0)
        n = load_extra(r, err);
    if (n == 0)
        n = ghosts_load(r, err);
    if (n == 0)
        n = socket_queues_load(r, err);
    if (n == 0)
        n = ipc_load(r, err);
    if (n == 0)
        n = locks_load(r, err);
    if (n == 0)
        n = fifo_load(r, err);
    if (n == 0)
        n = mqueue_load(r, err);
    return n < 0 ? n : memfd_load(r, err);
}
