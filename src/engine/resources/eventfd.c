/* eventfd(2): a counter. Whether it is a semaphore has no place in CRIU's message: firn-extra.json,
 * "eventfds". */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

static bool match(const struct descriptor *f)
{
    return string_equal(f->link, "anon_inode:[eventfd]");
}

/* Before Linux 6.5 fdinfo does not tell: a semaphore of 2 or more is read as 1. Nobody runs who
 * could see the counter in between, and the read cannot block. */
static int probe_semaphore(int fd, uint64_t counter, bool *ret)
{
    uint64_t two = 2, one = 1, taken = 0;
    if (counter < 2 && write(fd, &two, sizeof(two)) < 0)
        return -errno;
    if (read(fd, &taken, sizeof(taken)) < 0)
        return -errno;
    *ret = taken == 1;
    while (counter < 2 && *ret && read(fd, &one, sizeof(one)) < 0)
        return -errno;
    uint64_t back = counter >= 2 ? taken : *ret ? 0 : counter;
    return back && write(fd, &back, sizeof(back)) < 0 ? -errno : 0;
}

static int is_semaphore(const struct descriptor *f, const char *text, uint64_t counter, bool *ret)
{
    uint64_t told = 0;
    if (fdinfo_number(text, "eventfd-semaphore", 10, &told)) {
        *ret = told != 0;
        return 0;
    }
    _cleanup_close_ int fd = descriptor_borrow(f);
    return fd < 0 ? fd : probe_semaphore(fd, counter, ret);
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    uint64_t counter = 0;
    bool semaphore = false;
    int r = fdinfo_read(f->task->pid, f->fd, &text);
    if (r == 0 && !fdinfo_number(text.data, "eventfd-count", 16, &counter))
        r = -ENOTSUP;
    if (r == 0)
        r = is_semaphore(f, text.data, counter, &semaphore);
    if (r < 0)
        return error_errno(err, -r, "cannot read the eventfd of %s", descriptor_name(d, f));
    EventfdFileEntry *e = arena_new_of(d->arena, EventfdFileEntry);
    eventfd_file_entry__init(e);
    e->id = entry->id;
    e->flags = f->flags;
    e->fown = descriptor_owner(d, f);
    e->counter = counter;
    entry->type = FD_TYPES__EVENTFD;
    entry->efd = e;
    if (semaphore)
        js_set(extra_of(d->extra, "eventfds", e->id), "semaphore", js_bool(true));
    return 0;
}

/* eventfd2(2) takes 32 bits; the rest is written. */
static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const EventfdFileEntry *e = entry->efd;
    if (!e || e->counter == UINT64_MAX)
        return error_set(err, EINVAL, "the checkpoint's eventfd %u is not described", entry->id);
    const struct json *extra = extra_find(m->restore->extra, "eventfds", entry->id);
    int flags = EFD_CLOEXEC | (js_get_bool(extra, "semaphore", false) ? EFD_SEMAPHORE : 0);
    int fd = (int)maker_call(m, err, "create an eventfd", SYS_eventfd2, 0, (uint64_t)flags);
    if (fd < 0)
        return fd;
    batch_reset(m->batch);
    remote_addr at = batch_data(m->batch, &e->counter, sizeof(e->counter));
    if (e->counter && maker_call(m, err, "set the counter of an eventfd", SYS_write, (uint64_t)fd,
                                 at, sizeof(e->counter)) < 0)
        return -err->code;
    int n = maker_flags(m, fd, e->flags, err);
    return n < 0 ? n : fd;
}

const struct resource resource_eventfd = {
    .name = "eventfd",
    .type = FD_TYPES__EVENTFD,
    .match = match,
    .dump = dump,
    .restore = restore,
};
