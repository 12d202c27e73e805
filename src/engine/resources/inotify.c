/* inotify(7): watches keep their numbers. A watch knows its inode only; its path is searched when
 * everything else is known, and a deleted file is found through a descriptor that has it open.
 *
 * Events that nobody has read yet cannot be looked at without taking them, so they are not kept:
 * the program finds IN_Q_OVERFLOW instead, which says that it has to look for itself. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/inode-search.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

/* include/uapi/linux/inotify.h: the number of the next watch (4.16). */
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)

#define MASK  ((uint32_t)(IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT))
#define EVENT sizeof(struct inotify_event)

static bool match(const struct descriptor *f)
{
    return string_equal(f->link, "anon_inode:inotify");
}

/* ---- dump ---- */

static void set_handle(struct dump *d, FhEntry *h, const struct sought_inode *s)
{
    h->bytes = s->handle_bytes;
    h->type = (uint32_t)s->handle_type;
    h->n_handle = FH_ENTRY_SIZES__min_entries;
    h->handle = arena_array_of(d->arena, uint64_t, h->n_handle);
    memcpy(h->handle, s->handle, s->handle_bytes);
}

/* "inotify wd:2 ino:3ad sdev:fe00000 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1
 * f_handle:ad030000d03589e7" */
static bool parse(const char *line, InotifyWdEntry *e, struct sought_inode *s)
{
    int at = 0;
    if (sscanf(line,
               "inotify wd:%" SCNx32 " ino:%" SCNx64 " sdev:%" SCNx32 " mask:%" SCNx32
               " ignored_mask:%" SCNx32 " fhandle-bytes:%" SCNx32 " fhandle-type:%x f_handle:%n",
               &e->wd, &e->i_ino, &e->s_dev, &e->mask, &e->ignored_mask, &s->handle_bytes,
               (unsigned *)&s->handle_type, &at) < 5)
        return false;
    s->ino = e->i_ino;
    s->dev = e->s_dev;
    if (!at || s->handle_bytes > SOUGHT_HANDLE_MAX)
        s->handle_bytes = 0;
    for (uint32_t i = 0; i < s->handle_bytes; i++)
        if (sscanf(line + at + 2 * i, "%2hhx", &s->handle[i]) != 1)
            return false;
    return true;
}

static int add_watch(struct dump *d, InotifyFileEntry *e, const char *line)
{
    InotifyWdEntry *w = arena_new_of(d->arena, InotifyWdEntry);
    inotify_wd_entry__init(w);
    struct sought_inode *s = arena_new_of(d->arena, struct sought_inode);
    if (!parse(line, w, s))
        return -ENOTSUP;
    w->id = e->id;
    w->f_handle = arena_new_of(d->arena, FhEntry);
    fh_entry__init(w->f_handle);
    set_handle(d, w->f_handle, s);
    array_reserve(d->sought, d->sought_count, d->sought_room);
    d->sought[d->sought_count++] = (struct sought_watch){e, w, s};
    e->wd[e->n_wd++] = w;
    return 0;
}

static int read_watches(struct dump *d, const struct descriptor *f, InotifyFileEntry *e)
{
    _cleanup_buf_ struct buf text = {0};
    size_t count = 0;
    int r = fdinfo_read(f->task->pid, f->fd, &text);
    for (const char *p = r < 0 ? NULL : strstr(text.data, "inotify wd:"); p;
         p = strstr(p + 1, "inotify wd:"))
        count++;
    e->wd = arena_array_of(d->arena, InotifyWdEntry *, count);
    for (const char *p = r < 0 ? NULL : strstr(text.data, "inotify wd:"); r == 0 && p;
         p = strstr(p + 1, "inotify wd:"))
        r = add_watch(d, e, p);
    return r;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    InotifyFileEntry *e = arena_new_of(d->arena, InotifyFileEntry);
    inotify_file_entry__init(e);
    e->id = entry->id;
    e->flags = f->flags;
    e->fown = descriptor_owner(d, f);
    int r = read_watches(d, f, e), waiting = 0;
    _cleanup_close_ int fd = descriptor_borrow(f);
    if (r == 0 && (fd < 0 || ioctl(fd, FIONREAD, &waiting) < 0))
        r = fd < 0 ? fd : -errno;
    if (r < 0)
        return error_errno(err, -r, "cannot read the inotify instance of %s",
                           descriptor_name(d, f));
    if (waiting)
        js_set(extra_of(d->extra, "inotify", e->id), "overflow", js_bool(true));
    entry->type = FD_TYPES__INOTIFY;
    entry->ify = e;
    return 0;
}

/* A deleted file that a process of the container still has open. */
static bool find_open(struct dump *d, const struct sought_watch *w)
{
    for (size_t i = 0; i < d->file_count; i++) {
        const struct file *f = &d->files[i];
        uint32_t dev = (uint32_t)(major(f->dev) << 20 | minor(f->dev));
        if (f->fd < 0 || f->ino != w->inode->ino || dev != w->inode->dev)
            continue;
        struct json *o = extra_of(d->extra, "inotify", w->instance->id), *open = js_object();
        if (!js_get(o, "open"))
            js_set(o, "open", js_array());
        js_set(open, "watch", js_int(w->watch->wd));
        js_set(open, "file", js_int(f->entry->id));
        js_push(js_get(o, "open"), open);
        return true;
    }
    return false;
}

static int not_found(struct dump *d, const struct sought_watch *w, struct error *err)
{
    return error_set(err, ENOTSUP,
                     "%s is an inotify instance that watches (%u) inode %" PRIu64
                     " of device %u:%u, which has no path in the container",
                     file_name(d, &d->files[w->instance->id - 1]), w->watch->wd, w->inode->ino,
                     w->inode->dev >> 20, w->inode->dev & 0xfffff);
}

int inotify_settle(struct dump *d, struct error *err)
{
    _cleanup_free_ struct sought_inode **all = xcalloc(d->sought_count, sizeof(*all));
    for (size_t i = 0; i < d->sought_count; i++)
        all[i] = d->sought[i].inode;
    if (d->sought_count)
        inode_search(d, all, d->sought_count);
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->sought_count; i++) {
        const struct sought_watch *w = &d->sought[i];
        w->watch->f_handle->path = (char *)w->inode->path;
        if (!w->inode->path && !find_open(d, w))
            r = dump_refuse_error(d, not_found(d, w, err), err);
    }
    return r;
}

/* ---- restore ---- */

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    if (!entry->ify)
        return error_set(err, EINVAL, "the checkpoint's inotify instance %u is not described",
                         entry->id);
    int fd = (int)maker_call(m, err, "create an inotify instance", SYS_inotify_init1, IN_CLOEXEC);
    int n = fd < 0 ? fd : maker_flags(m, fd, entry->ify->flags, err);
    return n < 0 ? n : fd;
}

/* Watches `path` under the number `wd`. */
static int watch(struct maker *m, int fd, const InotifyWdEntry *e, const char *path, uint32_t flags,
                 struct error *err)
{
    struct batch *b = m->batch;
    batch_reset(b);
    batch_call(b, "number a watch", SYS_ioctl, (uint64_t)fd, INOTIFY_IOC_SETNEXTWD, e->wd);
    size_t call = batch_try(b, SYS_inotify_add_watch, (uint64_t)fd, batch_string(b, path),
                            (e->mask & MASK) | flags);
    int n = batch_run(b, err);
    int64_t wd = n == 0 ? batch_result(b, call) : n;
    if (n == 0 && wd < 0)
        return error_errno(err, (int)-wd, "process %d cannot watch %s again", m->task->vpid, path);
    if (n == 0 && wd != e->wd)
        return error_set(err, EIO,
                         "process %d: the watch of %s has number %" PRId64 " instead of %u",
                         m->task->vpid, path, wd, e->wd);
    return n;
}

static int watch_open(struct maker *m, int fd, const InotifyWdEntry *e, struct error *err)
{
    const struct json *all = js_get(extra_find(m->restore->extra, "inotify", e->id), "open");
    JSON_FOREACH(all, i)
    {
        const struct json *o = js_at(all, i);
        const struct offer *offer = restore_offer(m->restore, (uint32_t)js_get_int(o, "file", 0));
        if (js_get_int(o, "watch", 0) != e->wd || !offer || !offer->task)
            continue;
        int file = maker_fetch_from(m, offer->task, offer->fd, err);
        char path[64];
        snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
        int n = file < 0 ? file : watch(m, fd, e, path, 0, err);
        batch_reset(m->batch);
        maker_call(m, NULL, "close a file", SYS_close, (uint64_t)file);
        return n;
    }
    return error_set(err, ENOTSUP,
                     "the checkpoint does not name the file of watch %u of process %d", e->wd,
                     m->task->vpid);
}

/* ---- the overflow ---- */

static int waiting_bytes(struct maker *m, int fd, struct error *err)
{
    batch_reset(m->batch);
    remote_addr at = batch_room(m->batch, sizeof(int));
    int64_t n = maker_call(m, err, "count the events of an inotify instance", SYS_ioctl,
                           (uint64_t)fd, FIONREAD, at);
    return n < 0 ? (int)n : *(const int *)batch_local(m->batch, at);
}

/* Events of two kinds in turn, since equal ones become one, until the queue takes no more. */
static int fill(struct maker *m, int fd, int file, struct error *err)
{
    struct batch *b = m->batch;
    for (int before = -1, now = 0; now > before;) {
        batch_reset(b);
        remote_addr at = batch_room(b, 1);
        while (batch_fits(b, 2, 0)) {
            batch_call(b, "write", SYS_pwrite64, (uint64_t)file, at, 1, 0);
            batch_call(b, "read", SYS_pread64, (uint64_t)file, at, 1, 0);
        }
        int n = batch_run(b, err);
        before = now;
        now = n < 0 ? n : waiting_bytes(m, fd, err);
        if (now < 0)
            return now;
    }
    return 0;
}

/* Takes everything out but the last event, which is the overflow. */
static int drain(struct maker *m, int fd, struct error *err)
{
    for (int left; (left = waiting_bytes(m, fd, err)) != (int)EVENT;) {
        if (left < (int)EVENT)
            return left < 0 ? left : error_set(err, EIO, "cannot overflow an inotify instance");
        size_t size = (size_t)left - EVENT < 65536 ? (size_t)left - EVENT : 65536;
        batch_reset(m->batch);
        int64_t n = maker_call(m, err, "read an inotify instance", SYS_read, (uint64_t)fd,
                               batch_room(m->batch, size), size);
        if (n < 0)
            return (int)n;
    }
    return 0;
}

/* A file that nobody else can watch. It is opened again because memfd_create(2) gives an open file
 * that makes no events (since Linux 6.14). */
static int make_file(struct maker *m, struct error *err)
{
    char path[64];
    batch_reset(m->batch);
    int first = (int)maker_call(m, err, "create a file to watch", SYS_memfd_create,
                                batch_string(m->batch, "events"), MFD_CLOEXEC);
    if (first < 0)
        return first;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", first);
    int file = maker_open(m, path, O_RDWR, err);
    batch_reset(m->batch);
    maker_call(m, NULL, "close a file", SYS_close, (uint64_t)first);
    return file;
}

static int overflow(struct maker *m, int fd, struct error *err)
{
    struct batch *b = m->batch;
    char path[64];
    int file = make_file(m, err);
    if (file < 0)
        return file;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    batch_reset(b);
    int wd = (int)maker_call(m, err, "watch a file", SYS_inotify_add_watch, (uint64_t)fd,
                             batch_string(b, path), IN_MODIFY | IN_ACCESS);
    int n = wd < 0 ? wd : fill(m, fd, file, err);
    if (n < 0)
        return n;
    batch_reset(b);
    batch_call(b, "watch a file no more", SYS_inotify_rm_watch, (uint64_t)fd, (uint64_t)wd);
    batch_call(b, "close a file", SYS_close, (uint64_t)file);
    n = batch_run(b, err);
    return n < 0 ? n : drain(m, fd, err);
}

static int finish(struct maker *m, const FileEntry *entry, int fd, struct error *err)
{
    const InotifyFileEntry *e = entry->ify;
    const struct json *extra = extra_find(m->restore->extra, "inotify", entry->id);
    uint32_t highest = 0;
    int n = js_get_bool(extra, "overflow", false) ? overflow(m, fd, err) : 0;
    for (size_t i = 0; n == 0 && i < e->n_wd; i++) {
        const char *path = e->wd[i]->f_handle->path;
        n = path && path[0] == '/' ? watch(m, fd, e->wd[i], path, IN_DONT_FOLLOW, err)
                                   : watch_open(m, fd, e->wd[i], err);
        highest = e->wd[i]->wd > highest ? e->wd[i]->wd : highest;
    }
    if (n < 0 || !highest || highest >= INT32_MAX)
        return n;
    batch_reset(m->batch);
    return (int)maker_call(m, err, "number the next watch", SYS_ioctl, (uint64_t)fd,
                           INOTIFY_IOC_SETNEXTWD, highest + 1);
}

const struct resource resource_inotify = {
    .name = "inotify instance",
    .type = FD_TYPES__INOTIFY,
    .match = match,
    .dump = dump,
    .restore = restore,
    .finish = finish,
};
