/* signalfd(2): a set of signals. The signals themselves wait in the process. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

static bool match(const struct descriptor *f)
{
    return string_equal(f->link, "anon_inode:[signalfd]");
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    uint64_t mask = 0;
    int r = fdinfo_read(f->task->pid, f->fd, &text);
    if (r == 0 && !fdinfo_number(text.data, "sigmask", 16, &mask))
        r = -ENOTSUP;
    if (r < 0)
        return error_errno(err, -r, "cannot read the signalfd of %s", descriptor_name(d, f));
    SignalfdEntry *e = arena_new_of(d->arena, SignalfdEntry);
    signalfd_entry__init(e);
    e->id = entry->id;
    e->flags = f->flags;
    e->fown = descriptor_owner(d, f);
    e->sigmask = mask;
    entry->type = FD_TYPES__SIGNALFD;
    entry->sgfd = e;
    return 0;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const SignalfdEntry *e = entry->sgfd;
    if (!e)
        return error_set(err, EINVAL, "the checkpoint's signalfd %u is not described", entry->id);
    remote_addr at = batch_data(m->batch, &e->sigmask, sizeof(e->sigmask));
    int fd = (int)maker_call(m, err, "create a signalfd", SYS_signalfd4, (uint64_t)-1, at,
                             sizeof(e->sigmask), O_CLOEXEC);
    int n = fd < 0 ? fd : maker_flags(m, fd, e->flags, err);
    return n < 0 ? n : fd;
}

const struct resource resource_signalfd = {
    .name = "signalfd",
    .type = FD_TYPES__SIGNALFD,
    .match = match,
    .dump = dump,
    .restore = restore,
};
