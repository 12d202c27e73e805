/* Making the open files. Every description is made once, by the first process that needs it; others
 * fetch a copy of it from there (pidfd_getfd(2)). All work happens above `base_fd`, so that nothing
 * is in the way when the descriptors get their numbers at the end. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "engine/hoard.h"

#define NO_DESCRIPTORS "duplicate a descriptor (is its limit of open files lower than it was?)"

/* ---- tools for the resources ---- */

int64_t maker_call_(struct maker *m, struct error *err, const char *what, long number,
                    const uint64_t args[6])
{
    size_t call = batch_call_(m->batch, what, number, args);
    int n = batch_run(m->batch, err);
    return n < 0 ? n : batch_result(m->batch, call);
}

int maker_open(struct maker *m, const char *path, uint32_t flags, struct error *err)
{
    flags &= ~(uint32_t)O_ASYNC; /* would only be shown: see make_asynchronous */
    batch_reset(m->batch);
    remote_addr at = batch_string(m->batch, path);
    size_t call = batch_try(m->batch, SYS_openat, (uint64_t)AT_FDCWD, at, flags | O_CLOEXEC, 0);
    int n = batch_run(m->batch, err);
    if (n < 0)
        return n;
    int64_t fd = batch_result(m->batch, call);
    if (fd < 0)
        return error_errno(err, (int)-fd, "process %d cannot open %s again", m->task->vpid, path);
    return (int)fd;
}

int maker_duplicate(struct maker *m, int fd, struct error *err)
{
    return (int)maker_call(m, err, NO_DESCRIPTORS, SYS_fcntl, (uint64_t)fd, F_DUPFD_CLOEXEC,
                           (uint64_t)m->restore->base_fd);
}

int maker_flags(struct maker *m, int fd, uint32_t flags, struct error *err)
{
    flags &= O_NONBLOCK | O_APPEND;
    batch_reset(m->batch);
    return flags ? (int)maker_call(m, err, "set the flags of a file", SYS_fcntl, (uint64_t)fd,
                                   F_SETFL, flags)
                 : 0;
}

int maker_raise(struct maker *m, int fd, struct error *err)
{
    struct batch *b = m->batch;
    batch_reset(b);
    size_t call = batch_call(b, NO_DESCRIPTORS, SYS_fcntl, (uint64_t)fd, F_DUPFD_CLOEXEC,
                             (uint64_t)m->restore->base_fd);
    batch_call(b, "close a descriptor", SYS_close, (uint64_t)fd);
    int n = batch_run(b, err);
    return n < 0 ? n : (int)batch_result(b, call);
}

int maker_fetch_from(struct maker *m, const struct task *from, int fd, struct error *err)
{
    batch_reset(m->batch);
    if (from == m->task)
        return maker_duplicate(m, fd, err);
    int64_t pidfd = maker_call(m, err, "open a process", SYS_pidfd_open, (uint64_t)from->vpid, 0);
    if (pidfd < 0)
        return (int)pidfd;
    int64_t copy =
        maker_call(m, err, "share a descriptor", SYS_pidfd_getfd, (uint64_t)pidfd, (uint64_t)fd, 0);
    maker_call(m, NULL, "close a descriptor", SYS_close, (uint64_t)pidfd);
    return copy < 0 ? (int)copy : maker_raise(m, (int)copy, err);
}

/* ---- standard descriptors ---- */

int restore_stdio_pipe(const struct restore *r, uint32_t pipe_id)
{
    char name[32];
    snprintf(name, sizeof(name), "pipe:[%u]", pipe_id);
    for (int i = 0; i < 3; i++)
        if (r->options.stdio[i] && strcmp(r->options.stdio[i], name) == 0)
            return i;
    return -1;
}

/* The runtime has given them to root; a program that runs as another user may want to open them
 * again by /proc/self/fd. */
static void give_to_user(struct maker *m, int fd)
{
    const CredsEntry *c = m->restore->tree.tasks[0].threads[0].core->thread_core->creds;
    if (c->euid)
        maker_call(m, NULL, "own a pipe", SYS_fchown, (uint64_t)fd, c->euid, (uint64_t)-1);
}

int maker_stdio(struct maker *m, int index, uint32_t flags, struct error *err)
{
    int high = m->restore->base_fd + index;
    batch_reset(m->batch);
    if (m->restore->stdio_used[index]) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", high);
        return maker_open(m, path, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND), err);
    }
    m->restore->stdio_used[index] = true;
    give_to_user(m, high);
    int fd = maker_duplicate(m, high, err);
    if (fd >= 0 && flags & (O_NONBLOCK | O_APPEND))
        maker_call(m, NULL, "set flags", SYS_fcntl, (uint64_t)fd, F_SETFL,
                   flags & (O_NONBLOCK | O_APPEND));
    return fd;
}

/* ---- parked pipes ---- */

void restore_park(struct restore *r, uint32_t pipe_id, struct task *t, int read_end, int write_end)
{
    array_reserve(r->parked, r->parked_count, r->parked_room);
    r->parked[r->parked_count++] = (struct parked_pipe){pipe_id, t, read_end, write_end};
}

const struct parked_pipe *restore_parked(const struct restore *r, uint32_t pipe_id)
{
    for (size_t i = 0; i < r->parked_count; i++)
        if (r->parked[i].id == pipe_id)
            return &r->parked[i];
    return NULL;
}

/* ---- the descriptors of a process ---- */

static int raise_limit(struct maker *m, struct error *err)
{
    struct batch *b = m->batch;
    struct rlimit64 old;
    batch_reset(b);
    remote_addr at = batch_room(b, sizeof(old));
    batch_call(b, "read its limit of open files", SYS_prlimit64, 0, RLIMIT_NOFILE, 0, at);
    int n = batch_run(b, err);
    if (n < 0)
        return n;
    old = *(const struct rlimit64 *)batch_local(b, at);
    old.rlim_cur = old.rlim_max;
    batch_reset(b);
    batch_call(b, "raise its limit of open files", SYS_prlimit64, 0, RLIMIT_NOFILE,
               batch_data(b, &old, sizeof(old)), 0);
    return batch_run(b, err);
}

/* Standard descriptors go to base_fd, base_fd + 1, base_fd + 2; everything else goes. */
static int make_room(struct maker *m, struct error *err)
{
    struct batch *b = m->batch;
    batch_reset(b);
    uint64_t base = (uint64_t)m->restore->base_fd, spare = base + 3 + m->restore->hoard_count;
    batch_call(b, "close its descriptors", SYS_close_range, 3, base + 2, 0);
    batch_call(b, "close its descriptors", SYS_close_range, spare, ~0u, 0);
    for (uint64_t i = 0; i < 3; i++)
        batch_try(b, SYS_dup3, i, (uint64_t)m->restore->base_fd + i, O_CLOEXEC);
    batch_call(b, "close its descriptors", SYS_close_range, 0, 2, 0);
    return batch_run(b, err);
}

/* What every kind of open file has. */
struct common {
    const FownEntry *owner;
    uint32_t flags;
};

static struct common common_of(const struct restore *r, const FileEntry *f)
{
    if (f->fifo) /* described with its path */
        f = restore_file(r, f->fifo->regf_id);
#define COMMON(kind)                                                                               \
    if (f->kind)                                                                                   \
    return (struct common){f->kind->fown, f->kind->flags}
    COMMON(reg);
    COMMON(pipe);
    COMMON(tty);
    COMMON(efd);
    COMMON(epfd);
    COMMON(sgfd);
    COMMON(tfd);
    COMMON(ify);
    COMMON(ffy);
    COMMON(pidfd);
    COMMON(isk);
    COMMON(usk);
    COMMON(nlsk);
    COMMON(memfd);
#undef COMMON
    return (struct common){0};
}

/* F_SETOWN and F_SETSIG. */
static int set_owner(struct maker *m, const FileEntry *f, int fd, struct error *err)
{
    const FownEntry *owner = common_of(m->restore, f).owner;
    struct batch *b = m->batch;
    if (!owner || (!owner->pid && !owner->signum))
        return 0;
    struct f_owner_ex to = {(enum __pid_type)owner->pid_type, (pid_t)owner->pid};
    batch_reset(b);
    if (owner->signum)
        batch_call(b, "set the signal of a file", SYS_fcntl, (uint64_t)fd, F_SETSIG, owner->signum);
    if (owner->pid)
        batch_try(b, SYS_fcntl, (uint64_t)fd, F_SETOWN_EX, batch_data(b, &to, sizeof(to)));
    return batch_run(b, err);
}

/* O_ASYNC, which open(2) does not take: under the number that signals are to tell, and when nothing
 * of ours makes files ready any more. */
static int make_asynchronous(struct maker *m, struct error *err)
{
    for (size_t i = 0; i < m->task->fd_count; i++) {
        const FdinfoEntry *e = m->task->fds[i];
        uint32_t flags = common_of(m->restore, restore_file(m->restore, e->id)).flags;
        if (!(flags & O_ASYNC) || flags & O_PATH ||
            restore_offer(m->restore, e->id)->task != m->task)
            continue;
        batch_reset(m->batch);
        if (maker_call(m, err, "make a file asynchronous", SYS_fcntl, e->fd, F_SETFL, flags) < 0)
            return -err->code;
    }
    return 0;
}

int maker_file(struct maker *m, uint32_t id, struct error *err)
{
    const FileEntry *f = restore_file(m->restore, id);
    struct offer *offer = restore_offer(m->restore, id);
    if (offer->task)
        return maker_fetch_from(m, offer->task, offer->fd, err);
    batch_reset(m->batch);
    int fd = resource_of_type(f->type)->restore(m, f, err);
    int high = fd < 0 ? fd : fd >= m->restore->base_fd ? fd : maker_raise(m, fd, err);
    int owned = high < 0 ? high : set_owner(m, f, high, err);
    if (owned < 0)
        return owned;
    *offer = (struct offer){m->task, high};
    return high;
}

int maker_offer(struct maker *m, uint32_t id, int fd, struct error *err)
{
    struct offer *offer = restore_offer(m->restore, id);
    const FileEntry *f = restore_file(m->restore, id);
    if (!offer || !f || offer->task)
        return error_set(err, EINVAL, "the checkpoint's file %u is made twice", id);
    int high = maker_raise(m, fd, err);
    int n = high < 0 ? high : set_owner(m, f, high, err);
    if (n == 0)
        *offer = (struct offer){m->task, high};
    return n;
}

/* As what this process has the file that one of its descriptors is; made if need be. */
static int find_or_make(struct maker *m, const FdinfoEntry *e, struct error *err)
{
    const struct offer *offer = restore_offer(m->restore, e->id);
    return offer->task == m->task ? offer->fd : maker_file(m, e->id, err);
}

/* From now on others get it by this number, and every file costs one descriptor: a process may have
 * as many as its limit allows. */
static int place(struct maker *m, const FdinfoEntry *e, int fd, struct error *err)
{
    struct offer *offer = restore_offer(m->restore, e->id);
    struct batch *b = m->batch;
    batch_reset(b);
    batch_call(b, "number its descriptors", SYS_dup3, (uint64_t)fd, e->fd,
               e->flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    if (fd >= m->restore->base_fd)
        batch_call(b, "close a descriptor", SYS_close, (uint64_t)fd);
    if (offer->task == m->task && offer->fd == fd && fd >= m->restore->base_fd)
        offer->fd = (int)e->fd;
    return batch_run(b, err);
}

static int make_all(struct maker *m, struct error *err)
{
    int n = raise_limit(m, err);
    if (n < 0 || m->task->shared[SHARE_FILES])
        return n;
    n = make_room(m, err);
    _cleanup_free_ bool *placed = xcalloc((size_t)m->restore->base_fd + 1, sizeof(*placed));
    if (n == 0)
        n = descriptors_make_simple(m, placed, err);
    for (size_t i = 0; n == 0 && i < m->task->fd_count; i++) {
        const FdinfoEntry *e = m->task->fds[i];
        int fd = placed[e->fd] ? 0 : find_or_make(m, e, err);
        if (!placed[e->fd])
            n = fd < 0 ? fd : place(m, e, fd, err);
    }
    return n;
}

static int close_high(struct maker *m, struct error *err)
{
    int n = make_asynchronous(m, err);
    if (n < 0)
        return n;
    batch_reset(m->batch);
    return (int)maker_call(m, err, "close its spare descriptors", SYS_close_range,
                           (uint64_t)m->restore->base_fd, ~0u, 0);
}

static int each_alive(struct restore *r, int (*step)(struct maker *, struct error *),
                      struct error *err)
{
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    for (size_t i = 0; i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->state == TASK_ZOMBIE)
            continue;
        struct maker m = {.restore = r, .task = t, .batch = b};
        batch_start(b, &t->threads[0].puppet);
        int n = step(&m, err);
        batch_free(b);
        if (n < 0)
            return n;
    }
    return 0;
}

static int finish(struct restore *r, size_t index, struct error *err)
{
    const struct offer *offer = &r->offers[index];
    const struct resource *resource = resource_of_type(r->files[index]->type);
    if (!offer->task || !resource || !resource->finish)
        return 0;
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    struct maker m = {.restore = r, .task = offer->task, .batch = b};
    batch_start(b, &offer->task->threads[0].puppet);
    int n = resource->finish(&m, r->files[index], offer->fd, err);
    batch_free(b);
    return n < 0 ? n : 0;
}

int restore_descriptors(struct restore *r, struct error *err)
{
    tcp_handover_fetch(r);
    int n = each_alive(r, make_all, err);
    if (n == 0)
        n = pidfd_bury_departed(r, err);
    for (size_t i = 0; n == 0 && i < r->file_count; i++)
        n = finish(r, i, err);
    return n;
}

int restore_close_spares(struct restore *r, struct error *err)
{
    return each_alive(r, close_high, err);
}

/* ---- terminals ---- */

static int make_terminals(struct maker *m, struct error *err)
{
    for (size_t i = 0; i < m->restore->ttys->count; i++) {
        const TtyInfoEntry *info = m->restore->ttys->messages[i];
        bool leads = (pid_t)info->sid == m->task->vpid;
        int n = leads ? terminal_restore_session(m, info, err) : 0;
        if (n < 0)
            return n;
    }
    return 0;
}

int restore_terminals(struct restore *r, struct error *err)
{
    return each_alive(r, make_terminals, err);
}

/* ---- working directory, root, umask ---- */

static int make_directories(struct maker *m, struct error *err)
{
    const FsEntry *fs = m->task->fs;
    struct batch *b = m->batch;
    const FileEntry *cwd = restore_file(m->restore, fs->cwd_id);
    const char *root = restore_file(m->restore, fs->root_id)->reg->name;
    int fd = maker_open_file(m, cwd, O_PATH | O_DIRECTORY, err);
    if (fd < 0)
        return fd;
    batch_reset(b);
    if (strcmp(root, "/") != 0)
        batch_call(b, "change its root directory", SYS_chroot, batch_string(b, root));
    batch_call(b, "change its working directory", SYS_fchdir, (uint64_t)fd);
    batch_call(b, "close a directory", SYS_close, (uint64_t)fd);
    batch_call(b, "set its umask", SYS_umask, fs->has_umask ? fs->umask : 022);
    return batch_run(b, err);
}

int restore_directories(struct restore *r, struct error *err)
{
    return each_alive(r, make_directories, err);
}
