/* Most descriptors are of two simple kinds: files that are opened again by their path, and
 * descriptions that some other process already has. They are made by the hundred in one batch. No
 * call of a batch can use what another has returned, but none has to: the table of the process is
 * empty but for what was made here, so we know which number the kernel gives next. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "engine/hoard.h"
#include "engine/restore.h"

struct worker {
    struct maker *m;
    bool *placed; /* by number, below base_fd */
    int lowest;   /* the number that the kernel gives next */
    int pidfd;    /* where the descriptor of `from` stands */
    const struct task *from;
    struct {
        size_t call;
        int number;
    } expected[BATCH_CALLS_MAX];
    size_t expected_count;
};

static int flush(struct worker *w, struct error *err)
{
    struct batch *b = w->m->batch;
    int n = batch_run(b, err);
    for (size_t i = 0; n == 0 && i < w->expected_count; i++)
        if (batch_result(b, w->expected[i].call) != w->expected[i].number)
            n = error_set(err, EIO, "process %d has descriptors that it should not have",
                          w->m->task->vpid);
    w->expected_count = 0;
    batch_reset(b);
    return n;
}

static int room_for(struct worker *w, size_t bytes, struct error *err)
{
    return batch_fits(w->m->batch, 8, bytes) ? 0 : flush(w, err);
}

/* The call gives the lowest number. */
static void expect(struct worker *w, size_t call)
{
    w->expected[w->expected_count].call = call;
    w->expected[w->expected_count++].number = w->lowest;
}

/* Gives the new descriptor, which is the lowest, its number. */
static void place(struct worker *w, const FdinfoEntry *e)
{
    struct batch *b = w->m->batch;
    uint64_t fd = (uint64_t)w->lowest;
    if (e->fd == fd) {
        batch_call(b, "number its descriptors", SYS_fcntl, fd, F_SETFD, e->flags & FD_CLOEXEC);
    } else {
        batch_call(b, "number its descriptors", SYS_dup3, fd, e->fd,
                   e->flags & FD_CLOEXEC ? O_CLOEXEC : 0);
        batch_call(b, "close a descriptor", SYS_close, fd);
    }
    w->placed[e->fd] = true;
    while (w->placed[w->lowest])
        w->lowest++;
}

/* ---- files ---- */

static bool is_plain(const struct restore *r, const FileEntry *f)
{
    const RegFileEntry *reg = f->type == FD_TYPES__REG ? f->reg : NULL;
    return reg && reg->name && reg->name[0] == '/' && strlen(reg->name) < PATH_MAX &&
           !hoard_has(r, f) && !(reg->fown && (reg->fown->pid || reg->fown->signum));
}

static int open_plain(struct worker *w, const FdinfoEntry *e, const RegFileEntry *reg,
                      struct error *err)
{
    struct batch *b = w->m->batch;
    int n = room_for(w, PATH_MAX, err);
    if (n < 0)
        return n;
    const char *what = arena_printf(w->m->restore->arena, "open %s again", reg->name);
    expect(w, batch_call(b, what, SYS_openat, (uint64_t)AT_FDCWD, batch_string(b, reg->name),
                         regular_file_flags(reg) | O_CLOEXEC, 0));
    if (reg->pos && !(reg->flags & O_PATH))
        batch_call(b, "seek in a file", SYS_lseek, (uint64_t)w->lowest, reg->pos, SEEK_SET);
    place(w, e);
    return 0;
}

/* ---- from others ---- */

static int open_process(struct worker *w, const struct task *from, struct error *err)
{
    struct batch *b = w->m->batch;
    int n = room_for(w, 0, err);
    if (n < 0 || w->from == from)
        return n;
    expect(w, batch_call(b, "open a process", SYS_pidfd_open, (uint64_t)from->vpid, 0));
    batch_call(b, "move a descriptor", SYS_dup3, (uint64_t)w->lowest, (uint64_t)w->pidfd,
               O_CLOEXEC);
    batch_call(b, "close a descriptor", SYS_close, (uint64_t)w->lowest);
    w->from = from;
    return 0;
}

static int fetch(struct worker *w, const FdinfoEntry *e, const struct offer *offer,
                 struct error *err)
{
    struct batch *b = w->m->batch;
    int n = open_process(w, offer->task, err);
    if (n == 0)
        n = room_for(w, 0, err);
    if (n < 0)
        return n;
    expect(w, batch_call(b, "share a descriptor", SYS_pidfd_getfd, (uint64_t)w->pidfd,
                         (uint64_t)offer->fd, 0));
    place(w, e);
    return 0;
}

static int make(struct worker *w, const FdinfoEntry *e, struct error *err)
{
    struct restore *r = w->m->restore;
    const FileEntry *f = restore_file(r, e->id);
    struct offer *offer = restore_offer(r, e->id);
    if (w->placed[e->fd])
        return 0;
    if (offer->task && offer->task != w->m->task)
        return fetch(w, e, offer, err);
    if (offer->task || !is_plain(r, f))
        return 0;
    int n = open_plain(w, e, f->reg, err);
    *offer = (struct offer){w->m->task, (int)e->fd};
    return n;
}

int descriptors_make_simple(struct maker *m, bool *placed, struct error *err)
{
    struct restore *r = m->restore;
    _cleanup_free_ struct worker *w = xcalloc(1, sizeof(*w));
    w->m = m;
    w->placed = placed;
    w->pidfd = r->base_fd + 3 + (int)r->hoard_count;
    batch_reset(m->batch);
    int n = 0;
    for (size_t i = 0; n == 0 && i < m->task->fd_count; i++)
        n = make(w, m->task->fds[i], err);
    if (w->from)
        batch_call(m->batch, "close a descriptor", SYS_close, (uint64_t)w->pidfd);
    return n < 0 ? n : flush(w, err);
}
