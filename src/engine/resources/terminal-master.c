/* The master side of pseudo terminals made inside the container. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "engine/resources/terminal.h"
#include "engine/restore.h"

/* So many pairs may be made only to get at an index. */
#define SPARE_MAX 256

bool is_master(const struct descriptor *f)
{
    return S_ISCHR(f->st.st_mode) && f->st.st_rdev == makedev(5, 2);
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    unsigned index = 0;
    int locked = 0, packets = 0;
    _cleanup_close_ int fd = descriptor_borrow(f);
    if (fd < 0 || ioctl(fd, TIOCGPTN, &index) < 0 || ioctl(fd, TIOCGPTLCK, &locked) < 0 ||
        ioctl(fd, TIOCGPKT, &packets) < 0)
        return error_errno(err, fd < 0 ? -fd : errno, "cannot read the terminal of %s",
                           descriptor_name(d, f));
    TtyInfoEntry *info;
    terminal_entry(d, f, entry, MASTER_ID + index + 1);
    int r = terminal_note(d, f, MASTER_ID + index + 1, index, &info, err);
    if (r == 0)
        info->locked = locked, info->packet_mode = packets;
    return r;
}

/* devpts gives the lowest free index: masters are opened until it is the one. */
static int open_master(struct maker *m, unsigned index, uint32_t flags, struct error *err)
{
    int spare[SPARE_MAX];
    size_t count = 0;
    int found = -1;
    while (found < 0) {
        int fd = maker_open(m, "/dev/ptmx", flags | O_NOCTTY, err);
        if (fd < 0)
            return fd;
        batch_reset(m->batch);
        remote_addr at = batch_room(m->batch, sizeof(unsigned));
        if (maker_call(m, err, "read the number of a terminal", SYS_ioctl, (uint64_t)fd, TIOCGPTN,
                       at) < 0)
            return -err->code;
        unsigned got = *(const unsigned *)batch_local(m->batch, at);
        if (got == index)
            found = fd;
        else if (got > index || count == SPARE_MAX)
            return error_set(err, EBUSY, "terminal /dev/pts/%u cannot be made again", index);
        else
            spare[count++] = fd;
    }
    batch_reset(m->batch);
    for (size_t i = 0; i < count; i++)
        batch_call(m->batch, "close a terminal", SYS_close, (uint64_t)spare[i]);
    int r = batch_run(m->batch, err);
    return r < 0 ? r : found;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const TtyInfoEntry *info = terminal_info(m->restore, entry->tty->tty_info_id);
    if (!info)
        return error_set(err, EINVAL, "the checkpoint's terminal %u is not described", entry->id);
    int fd = open_master(m, info->pty->index, entry->tty->flags, err);
    if (fd < 0)
        return fd;
    int locked = info->locked, packets = info->packet_mode;
    struct batch *b = m->batch;
    batch_reset(b);
    batch_call(b, "unlock a terminal", SYS_ioctl, (uint64_t)fd, TIOCSPTLCK,
               batch_data(b, &locked, sizeof(locked)));
    batch_call(b, "set the packet mode of a terminal", SYS_ioctl, (uint64_t)fd, TIOCPKT,
               batch_data(b, &packets, sizeof(packets)));
    int r = batch_run(b, err);
    return r < 0 ? r : fd;
}

int terminal_need_master(struct maker *m, unsigned index, struct error *err)
{
    for (size_t i = 0; i < m->restore->file_count; i++) {
        const FileEntry *f = m->restore->files[i];
        if (f->tty && f->tty->tty_info_id == MASTER_ID + index + 1) {
            int fd = maker_file(m, f->id, err);
            return fd < 0 ? fd : 0;
        }
    }
    return error_set(err, EINVAL, "the checkpoint does not describe the master of /dev/pts/%u",
                     index);
}

const struct resource resource_terminal_master = {
    .name = "terminal master",
    .type = FD_TYPES__TTY,
    .match = is_master,
    .dump = dump,
    .restore = restore,
};
