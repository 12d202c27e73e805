/* pidfd_open(2): of processes and threads of the container, alive, zombies or dead.
 *
 * One whose process is dead and waited for refers to nothing that could be opened: a process is
 * born for it, dies as the old one did when all descriptors are made, and is taken away. Several
 * pidfds of one dead process are known by their inode. How it died is in firn-extra.json,
 * "pidfds". */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/kernel.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

/* PIDFD_NONBLOCK and PIDFD_THREAD. */
#define OPEN_FLAGS ((uint32_t)(O_NONBLOCK | O_EXCL))
#define DEAD       (-1)

static bool match(const struct descriptor *f)
{
    return string_equal(f->link, "anon_inode:[pidfd]") || string_starts(f->link, "pidfd:[");
}

/* As it is numbered in the container; 0: not of the container. */
static pid_t inside(const struct dump *d, pid_t pid)
{
    for (size_t i = 0; i < d->tree.count; i++) {
        const struct task *t = &d->tree.tasks[i];
        if (t->process == pid)
            return t->vpid;
        for (size_t j = 0; j < t->thread_count; j++)
            if (t->threads[j].puppet.tid == pid)
                return t->threads[j].puppet.vtid;
    }
    return 0;
}

/* The wait status of the dead process; 0 where the kernel has forgotten it (before Linux 6.15). */
static int exit_status(const struct descriptor *f)
{
    _cleanup_close_ int fd = descriptor_borrow(f);
    struct firn_pidfd_info info = {.mask = FIRN_PIDFD_INFO_EXIT};
    if (fd < 0 || ioctl(fd, FIRN_PIDFD_GET_INFO, &info) < 0 || !(info.mask & FIRN_PIDFD_INFO_EXIT))
        return 0;
    return info.exit_code;
}

static int find_process(struct dump *d, const struct descriptor *f, PidfdEntry *e,
                        struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    int r = fdinfo_read(f->task->pid, f->fd, &text);
    const char *value = r == 0 ? fdinfo_value(text.data, "Pid") : NULL;
    if (!value)
        return error_errno(err, r < 0 ? -r : ENOTSUP, "cannot read the pidfd of %s",
                           descriptor_name(d, f));
    pid_t pid = (pid_t)strtol(value, NULL, 10);
    e->nspid = pid == DEAD ? DEAD : inside(d, pid);
    if (e->nspid == 0)
        return error_set(err, ENOTSUP,
                         "%s is a pidfd of a process outside the container, which firn cannot save",
                         descriptor_name(d, f));
    if (e->nspid == DEAD)
        js_set(extra_of(d->extra, "pidfds", e->id), "status", js_int(exit_status(f)));
    return 0;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    PidfdEntry *e = arena_new_of(d->arena, PidfdEntry);
    pidfd_entry__init(e);
    e->id = entry->id;
    e->ino = (uint32_t)f->st.st_ino;
    e->flags = f->flags;
    e->fown = descriptor_owner(d, f);
    entry->type = FD_TYPES__PIDFD;
    entry->pidfd = e;
    return find_process(d, f, e, err);
}

/* ---- restore ---- */

static struct departed *find_departed(const struct restore *r, uint32_t ino)
{
    for (size_t i = 0; i < r->departed_count; i++)
        if (r->departed[i].ino == ino)
            return &r->departed[i];
    return NULL;
}

int pidfd_bear_departed(struct restore *r, struct error *err)
{
    pid_t vpid = restore_free_pid(r);
    for (size_t i = 0; i < r->file_count; i++) {
        const PidfdEntry *e = r->files[i]->pidfd;
        if (!e || e->nspid > 0 || find_departed(r, e->ino))
            continue;
        const struct json *extra = extra_find(r->extra, "pidfds", e->id);
        struct departed new = {.ino = e->ino, .status = (int)js_get_int(extra, "status", 0)};
        int n = give_birth(r, &r->tree.tasks[0].threads[0].puppet, vpid++, 0, &new.puppet, err);
        if (n < 0)
            return n;
        array_reserve(r->departed, r->departed_count, r->departed_room);
        r->departed[r->departed_count++] = new;
    }
    return 0;
}

int pidfd_bury_departed(struct restore *r, struct error *err)
{
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->departed_count; i++) {
        struct puppet *p = &r->departed[i].puppet;
        n = let_die(r, p, r->departed[i].status & 0xff7f, err);
        if (n == 0)
            n = restore_reap(&r->tree.tasks[0].threads[0].puppet, p->vtid, err);
    }
    return n;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const PidfdEntry *e = entry->pidfd;
    const struct departed *departed = e ? find_departed(m->restore, e->ino) : NULL;
    if (!e || (e->nspid <= 0 && !departed))
        return error_set(err, EINVAL, "the checkpoint's pidfd %u is not described", entry->id);
    pid_t vpid = e->nspid > 0 ? e->nspid : departed->puppet.vtid;
    return (int)maker_call(m, err, "open a process again", SYS_pidfd_open, (uint64_t)vpid,
                           e->flags & OPEN_FLAGS);
}

const struct resource resource_pidfd = {
    .name = "pidfd",
    .type = FD_TYPES__PIDFD,
    .match = match,
    .dump = dump,
    .restore = restore,
};
