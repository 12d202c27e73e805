/* epoll(7) instances, made complete when all descriptors of all processes exist.
 *
 * An instance watches open files, each under the number it had when it was added; the number may
 * have been closed or reused since, while the file lives on elsewhere. kcmp(2) tells which file it
 * is. CRIU's entry names a number that the holder has the file at now; where that is not the number
 * it was added under, or nobody of the holder's process has it, firn-extra.json, "epolls", has both
 * the number and the file.
 *
 * An edge-triggered file that is ready is reported once more after a restore, whether or not the
 * program had seen it: an edge seen twice is allowed, one never seen is not. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

/* Always there when a file is watched; a one-shot that has fired lacks them. */
#define ALWAYS (EPOLLERR | EPOLLHUP)
/* Bits that stay with a one-shot that has fired. */
#define MANNERS ((uint32_t)(EPOLLONESHOT | EPOLLET | EPOLLWAKEUP | EPOLLEXCLUSIVE))

static bool match(const struct descriptor *f)
{
    return string_equal(f->link, "anon_inode:[eventpoll]");
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    EventpollFileEntry *e = arena_new_of(d->arena, EventpollFileEntry);
    eventpoll_file_entry__init(e);
    e->id = entry->id;
    e->flags = f->flags;
    e->fown = descriptor_owner(d, f);
    entry->type = FD_TYPES__EVENTPOLL;
    entry->epfd = e;
    return 0;
}

/* ---- what it watches ---- */

/* A line "tfd: 5 events: 19 data: 5 pos:0 ino:414 sdev:10" of fdinfo. */
struct watched {
    uint32_t number;
    uint32_t which; /* several files may have been added under one number */
    uint32_t events;
    uint64_t data, ino;
};

static struct watched *parse(const char *text, size_t *ret_count)
{
    struct watched *all = NULL;
    size_t count = 0, room = 0;
    for (const char *line = strstr(text, "tfd:"); line; line = strstr(line + 1, "\ntfd:")) {
        struct watched w = {0};
        if (sscanf(line,
                   " tfd: %" SCNu32 " events: %" SCNx32 " data: %" SCNx64 " pos:%*i ino:%" SCNx64,
                   &w.number, &w.events, &w.data, &w.ino) != 4)
            continue;
        array_reserve(all, count, room);
        all[count++] = w;
    }
    *ret_count = count;
    return all;
}

static void count_numbers(struct watched *all, size_t count)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < count; i++)
        highest = all[i].number > highest ? all[i].number : highest;
    _cleanup_free_ uint32_t *seen = xcalloc((size_t)highest + 1, sizeof(*seen));
    for (size_t i = 0; i < count; i++)
        all[i].which = seen[all[i].number]++;
}

static bool is_watched(const struct file *epoll, const struct file *file, const struct watched *w)
{
    struct kcmp_epoll_slot slot = {(__u32)epoll->fd, w->number, w->which};
    return file->fd >= 0 && syscall(SYS_kcmp, file->holder, epoll->holder, KCMP_EPOLL_TFD,
                                    (unsigned long)file->fd, &slot) == 0;
}

static int compare_numbers(const void *key, const void *element)
{
    uint32_t a = *(const uint32_t *)key, b = (*(FdinfoEntry *const *)element)->fd;
    return a < b ? -1 : a > b;
}

/* The descriptor of this number; `t` is NULL for an instance on its way through a socket. */
static const FdinfoEntry *find_number(const struct task *t, uint32_t number)
{
    FdinfoEntry **found =
        t && t->fd_count ? bsearch(&number, t->fds, t->fd_count, sizeof(*t->fds), compare_numbers)
                         : NULL;
    return found ? *found : NULL;
}

static const struct file *find_file(const struct dump *d, const struct file *epoll,
                                    const struct watched *w, const FdinfoEntry *there)
{
    if (there && is_watched(epoll, &d->files[there->id - 1], w))
        return &d->files[there->id - 1];
    for (size_t i = 0; i < d->file_count; i++)
        if (d->files[i].ino == w->ino && is_watched(epoll, &d->files[i], w))
            return &d->files[i];
    for (size_t i = 0; i < d->file_count; i++)
        if (is_watched(epoll, &d->files[i], w))
            return &d->files[i];
    return NULL;
}

/* Not where it was added: said in full, and for CRIU a number the process has it at. */
static void note_odd(struct dump *d, const struct task *t, EventpollTfdEntry *e, uint32_t file,
                     size_t index)
{
    struct json *extra = extra_of(d->extra, "epolls", e->id), *odd = js_object();
    if (!js_get(extra, "odd"))
        js_set(extra, "odd", js_array());
    js_set(odd, "index", js_int((int64_t)index));
    js_set(odd, "number", js_int(e->tfd));
    js_set(odd, "file", js_int(file));
    js_push(js_get(extra, "odd"), odd);
    for (size_t i = 0; t && i < t->fd_count; i++)
        if (t->fds[i]->id == file) {
            e->tfd = t->fds[i]->fd;
            return;
        }
}

static int add_watched(struct dump *d, const struct file *epoll, const struct task *t,
                       const struct watched *w, struct error *err)
{
    EventpollFileEntry *entry = epoll->entry->epfd;
    const FdinfoEntry *there = find_number(t, w->number);
    const struct file *file = find_file(d, epoll, w, there);
    if (!file)
        return error_set(err, ENOTSUP,
                         "%s is an epoll instance that watches a file added as fd %u, which no "
                         "process of the container has open now",
                         file_name(d, epoll), w->number);
    EventpollTfdEntry *e = arena_new_of(d->arena, EventpollTfdEntry);
    eventpoll_tfd_entry__init(e);
    e->id = entry->id;
    e->tfd = w->number;
    e->events = w->events;
    e->data = w->data;
    if (!there || there->id != file->entry->id)
        note_odd(d, t, e, file->entry->id, entry->n_tfd);
    entry->tfd[entry->n_tfd++] = e;
    return 0;
}

static int settle(struct dump *d, const struct file *epoll, struct error *err)
{
    const struct task *t = tree_find_pid(&d->tree, epoll->holder);
    _cleanup_buf_ struct buf text = {0};
    int r = fdinfo_read(epoll->holder, epoll->fd, &text);
    if (r < 0)
        return error_errno(err, -r, "cannot read the epoll instance of %s", file_name(d, epoll));
    size_t count;
    _cleanup_free_ struct watched *all = parse(text.data, &count);
    count_numbers(all, count);
    epoll->entry->epfd->tfd = arena_array_of(d->arena, EventpollTfdEntry *, count);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = dump_refuse_error(d, add_watched(d, epoll, t, &all[i], err), err);
    return r;
}

int epoll_settle(struct dump *d, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->file_count; i++)
        if (d->files[i].entry->epfd)
            r = settle(d, &d->files[i], err);
    return r;
}

/* ---- restore ---- */

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    if (!entry->epfd)
        return error_set(err, EINVAL, "the checkpoint's epoll instance %u is not described",
                         entry->id);
    int fd = (int)maker_call(m, err, "create an epoll instance", SYS_epoll_create1, EPOLL_CLOEXEC);
    int n = fd < 0 ? fd : maker_flags(m, fd, entry->epfd->flags, err);
    return n < 0 ? n : fd;
}

/* A file to be watched. */
struct watch {
    const EventpollTfdEntry *entry;
    uint32_t number;
    uint32_t file; /* 0: what has this number in the holder */
};

static bool has_fired(const struct watch *w)
{
    return !(w->entry->events & ALWAYS);
}

static int plan(const struct maker *m, const EventpollFileEntry *e, struct watch *all,
                struct error *err)
{
    for (size_t i = 0; i < e->n_tfd; i++)
        all[i] = (struct watch){e->tfd[i], e->tfd[i]->tfd, 0};
    const struct json *odd = js_get(extra_find(m->restore->extra, "epolls", e->id), "odd");
    JSON_FOREACH(odd, i)
    {
        const struct json *o = js_at(odd, i);
        int64_t index = js_get_int(o, "index", -1), number = js_get_int(o, "number", -1);
        int64_t file = js_get_int(o, "file", 0);
        const struct offer *offer = restore_offer(m->restore, (uint32_t)file);
        if (index < 0 || index >= (int64_t)e->n_tfd || number < 0 || number > INT32_MAX || !offer ||
            !offer->task)
            return error_set(err, EINVAL, "the checkpoint's epoll instance %u is wrong", e->id);
        all[index].number = (uint32_t)number;
        all[index].file = (uint32_t)file;
    }
    return 0;
}

static size_t add_call(struct batch *b, int epoll, int how, const struct watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = w->entry->data};
    return batch_call(b, "add a file to an epoll instance", SYS_epoll_ctl, (uint64_t)epoll,
                      (uint64_t)how, w->number, batch_data(b, &event, sizeof(event)));
}

/* A one-shot that has fired has to fire again: it is added for whatever may be ready, and the event
 * is taken. If nothing is ready it stays armed for a hang-up; the kernel knows no other way. */
static int add_fired(struct maker *m, int epoll, const struct watch *w, struct error *err)
{
    const uint32_t anything = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP;
    struct batch *b = m->batch;
    batch_reset(b);
    add_call(b, epoll, EPOLL_CTL_ADD, w, anything | (w->entry->events & MANNERS));
    size_t wait = batch_try(b, SYS_epoll_pwait, (uint64_t)epoll,
                            batch_room(b, sizeof(struct epoll_event)), 1);
    int n = batch_run(b, err);
    if (n < 0 || batch_result(b, wait) == 1)
        return n;
    batch_reset(b);
    add_call(b, epoll, EPOLL_CTL_MOD, w, w->entry->events);
    return batch_run(b, err);
}

static int add(struct maker *m, int epoll, const struct watch *w, struct error *err)
{
    if (has_fired(w))
        return add_fired(m, epoll, w, err);
    batch_reset(m->batch);
    add_call(m->batch, epoll, EPOLL_CTL_ADD, w, w->entry->events);
    return batch_run(m->batch, err);
}

/* Gives the number back to `saved` (-1: nobody had it). */
static int give_back(struct maker *m, int saved, int64_t saved_flags, uint32_t number,
                     struct error *err)
{
    struct batch *b = m->batch;
    batch_reset(b);
    if (saved >= 0) {
        batch_call(b, "put a descriptor back", SYS_dup3, (uint64_t)saved, number,
                   saved_flags & FD_CLOEXEC ? O_CLOEXEC : 0);
        batch_call(b, "close a descriptor", SYS_close, (uint64_t)saved);
    } else {
        batch_call(b, "close a descriptor", SYS_close, number);
    }
    return batch_run(b, err);
}

/* The file gets the number it was added under for as long as that takes. */
static int add_odd(struct maker *m, int epoll, const struct watch *w, struct error *err)
{
    const struct offer *offer = restore_offer(m->restore, w->file);
    int file = maker_fetch_from(m, offer->task, offer->fd, err);
    if (file < 0)
        return file;
    if ((uint32_t)file == w->number) {
        int n = add(m, epoll, w, err);
        return n < 0 ? n : give_back(m, -1, 0, w->number, err);
    }
    batch_reset(m->batch);
    int64_t flags = maker_call(m, NULL, "", SYS_fcntl, w->number, F_GETFD);
    int saved = flags < 0 ? -1 : maker_duplicate(m, (int)w->number, err);
    if (flags >= 0 && saved < 0)
        return saved;
    batch_reset(m->batch);
    int64_t n =
        maker_call(m, err, "number a descriptor", SYS_dup3, (uint64_t)file, w->number, O_CLOEXEC);
    if (n >= 0)
        n = add(m, (uint32_t)epoll == w->number ? saved : epoll, w, err);
    if (n >= 0)
        n = give_back(m, saved, flags, w->number, err);
    maker_call(m, NULL, "", SYS_close, (uint64_t)file);
    return n < 0 ? (int)n : 0;
}

static int add_plain(struct maker *m, int epoll, const struct watch *all, size_t count,
                     struct error *err)
{
    struct batch *b = m->batch;
    batch_reset(b);
    for (size_t i = 0; i < count; i++) {
        if (all[i].file || has_fired(&all[i]))
            continue;
        if (!batch_fits(b, 1, sizeof(struct epoll_event))) {
            int n = batch_run(b, err);
            if (n < 0)
                return n;
            batch_reset(b);
        }
        add_call(b, epoll, EPOLL_CTL_ADD, &all[i], all[i].entry->events);
    }
    return batch_run(b, err);
}

/* Those that have fired come first, so that the event taken is theirs. */
static int finish(struct maker *m, const FileEntry *entry, int fd, struct error *err)
{
    const EventpollFileEntry *e = entry->epfd;
    _cleanup_free_ struct watch *all = xcalloc(e->n_tfd, sizeof(*all));
    int n = plan(m, e, all, err);
    for (int fired = 1; fired >= 0; fired--)
        for (size_t i = 0; n == 0 && i < e->n_tfd; i++)
            if (has_fired(&all[i]) == fired && (all[i].file || fired))
                n = all[i].file ? add_odd(m, fd, &all[i], err) : add(m, fd, &all[i], err);
    return n < 0 ? n : add_plain(m, fd, all, e->n_tfd, err);
}

const struct resource resource_epoll = {
    .name = "epoll instance",
    .type = FD_TYPES__EVENTPOLL,
    .match = match,
    .dump = dump,
    .restore = restore,
    .finish = finish,
};
