/* The slave side of terminals, with termios, window size, session and foreground group. The master
 * of the container's own (`-t`) is the monitor's: the restored init brings a new pair along. Others
 * must have been made inside, see terminal-master.c. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/strv.h"
#include "engine/resources/terminal.h"
#include "engine/restore.h"

#define PTS_MAJOR 136

bool is_slave(const struct descriptor *f)
{
    return S_ISCHR(f->st.st_mode) && major(f->st.st_rdev) == PTS_MAJOR;
}

/* The console is the pts that the runtime gave init; dump and restore know it by name. */
static bool is_console(const char *const stdio[3], unsigned index)
{
    for (int i = 0; i < 3; i++) {
        const char *number = stdio[i] ? string_after(stdio[i], "/dev/pts/") : NULL;
        if (number && (unsigned)atoi(number) == index)
            return true;
    }
    return false;
}

static TermiosEntry *termios_entry(struct dump *d, const struct termios2 *t)
{
    TermiosEntry *e = arena_new_of(d->arena, TermiosEntry);
    termios_entry__init(e);
    e->c_iflag = t->c_iflag, e->c_oflag = t->c_oflag;
    e->c_cflag = t->c_cflag, e->c_lflag = t->c_lflag;
    e->c_line = t->c_line, e->c_ispeed = t->c_ispeed, e->c_ospeed = t->c_ospeed;
    e->n_c_cc = NCCS;
    e->c_cc = arena_array_of(d->arena, uint32_t, NCCS);
    for (size_t i = 0; i < NCCS; i++)
        e->c_cc[i] = t->c_cc[i];
    return e;
}

/* Its session's leader and foreground group. The foreground group can be asked for only by the
 * session's own processes; proc(5) tells it in our numbers. */
static void fill_session(struct dump *d, TtyInfoEntry *info, dev_t rdev)
{
    for (size_t i = 0; i < d->tree.count; i++) {
        const struct task *t = &d->tree.tasks[i];
        if (t->state == TASK_ZOMBIE || t->session != t->vpid || (dev_t)t->stat.tty != rdev)
            continue;
        info->sid = (uint32_t)t->vpid;
        for (size_t j = 0; j < d->tree.count; j++)
            if (d->tree.tasks[j].stat.group == t->stat.tty_foreground)
                info->pgrp = (uint32_t)d->tree.tasks[j].group;
        return;
    }
}

static const TtyInfoEntry *find_info(const struct dump *d, uint32_t id)
{
    for (size_t i = 0; i < d->tty_count; i++)
        if (d->ttys[i]->id == id)
            return d->ttys[i];
    return NULL;
}

int terminal_note(struct dump *d, const struct descriptor *f, uint32_t id, unsigned index,
                  TtyInfoEntry **ret, struct error *err)
{
    *ret = (TtyInfoEntry *)find_info(d, id);
    if (*ret)
        return 0;
    _cleanup_close_ int fd = descriptor_borrow(f);
    struct termios2 termios;
    struct winsize size;
    if (fd < 0 || ioctl(fd, TCGETS2, &termios) < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0)
        return error_errno(err, fd < 0 ? -fd : errno, "cannot read the terminal of %s",
                           descriptor_name(d, f));
    TtyInfoEntry *info = arena_new_of(d->arena, TtyInfoEntry);
    tty_info_entry__init(info);
    info->id = id;
    info->type = TTY_TYPE__PTY;
    info->rdev = (uint32_t)f->st.st_rdev;
    info->has_uid = info->has_gid = true;
    info->uid = f->st.st_uid, info->gid = f->st.st_gid;
    info->termios = termios_entry(d, &termios);
    info->winsize = arena_new_of(d->arena, WinsizeEntry);
    winsize_entry__init(info->winsize);
    info->winsize->ws_row = size.ws_row, info->winsize->ws_col = size.ws_col;
    info->winsize->ws_xpixel = size.ws_xpixel, info->winsize->ws_ypixel = size.ws_ypixel;
    info->pty = arena_new_of(d->arena, TtyPtyEntry);
    tty_pty_entry__init(info->pty);
    info->pty->index = index;
    array_reserve(d->ttys, d->tty_count, d->tty_room);
    d->ttys[d->tty_count++] = *ret = info;
    terminal_keep(d, id, take_fd(fd));
    return 0;
}

void terminal_entry(struct dump *d, const struct descriptor *f, FileEntry *entry, uint32_t info_id)
{
    TtyFileEntry *tty = arena_new_of(d->arena, TtyFileEntry);
    tty_file_entry__init(tty);
    tty->id = entry->id;
    tty->tty_info_id = info_id;
    tty->flags = f->flags;
    tty->fown = descriptor_owner(d, f);
    entry->type = FD_TYPES__TTY;
    entry->tty = tty;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    unsigned index = minor(f->st.st_rdev);
    TtyInfoEntry *info;
    terminal_entry(d, f, entry, index + 1);
    int r = terminal_note(d, f, index + 1, index, &info, err);
    if (r == 0 && !info->sid)
        fill_session(d, info, f->st.st_rdev);
    return r;
}

int terminal_settle_outside(struct dump *d, struct error *)
{
    for (size_t i = 0; i < d->file_count; i++) {
        const TtyFileEntry *tty = d->files[i].entry->tty;
        if (!tty || tty->tty_info_id >= MASTER_ID)
            continue;
        unsigned index = tty->tty_info_id - 1;
        const struct task *t = tree_find_pid(&d->tree, d->files[i].holder);
        if (!is_console(d->options.stdio, index) && !find_info(d, MASTER_ID + tty->tty_info_id))
            dump_refuse(d, t,
                        "has fd %d, terminal /dev/pts/%u, whose other side is outside the "
                        "container (a session of `exec -t`): end it first",
                        d->files[i].fd, index);
    }
    return 0;
}

int terminal_write_images(struct dump *d, struct error *err)
{
    if (!d->tty_count)
        return 0;
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_TTY_INFO, 0);
    for (size_t i = 0; i < d->tty_count; i++)
        image_writer_add(w, d->ttys[i]);
    return image_writer_put(w, d->sink, err);
}

/* ---- restore ---- */

const TtyInfoEntry *terminal_info(const struct restore *r, uint32_t info_id)
{
    for (size_t i = 0; i < r->ttys->count; i++) {
        const TtyInfoEntry *info = r->ttys->messages[i];
        if (info->id == info_id && info->pty)
            return info;
    }
    return NULL;
}

static bool is_new_console(const struct restore *r, const TtyInfoEntry *info)
{
    return is_console(r->options.stdio, info->pty->index);
}

/* Where it is now. */
static void slave_path(const struct restore *r, const TtyInfoEntry *info, char path[64])
{
    if (is_new_console(r, info))
        snprintf(path, 64, "%.60s", r->console);
    else
        snprintf(path, 64, "/dev/pts/%u", info->pty->index);
}

/* devpts has given it to root, who opened the master. */
static int dress(struct maker *m, int fd, const TtyInfoEntry *info, struct error *err)
{
    struct batch *b = m->batch;
    batch_reset(b);
    terminal_set_attributes(b, fd, info);
    if (info->has_uid && info->has_gid)
        batch_try(b, SYS_fchown, (uint64_t)fd, info->uid, info->gid);
    return batch_run(b, err);
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    if (entry->tty && entry->tty->tty_info_id >= MASTER_ID)
        return resource_terminal_master.restore(m, entry, err);
    const TtyInfoEntry *info =
        entry->tty ? terminal_info(m->restore, entry->tty->tty_info_id) : NULL;
    if (!info)
        return error_set(err, EINVAL, "the checkpoint's terminal %u is not described", entry->id);
    bool console = is_new_console(m->restore, info);
    if (console && !m->restore->console[0])
        return error_set(err, EINVAL,
                         "the checkpoint was made of a container with a terminal (-t), but this "
                         "container has none");
    char path[64];
    slave_path(m->restore, info, path);
    int r = console ? 0 : terminal_need_master(m, info->pty->index, err);
    int fd = r < 0 ? r : maker_open(m, path, entry->tty->flags | O_NOCTTY, err);
    if (fd >= 0 && !console && (r = dress(m, fd, info, err)) < 0)
        return r;
    return fd;
}

void terminal_set_attributes(struct batch *b, int fd, const TtyInfoEntry *info)
{
    if (info->termios) {
        const TermiosEntry *e = info->termios;
        struct termios2 t = {
            .c_iflag = e->c_iflag,
            .c_oflag = e->c_oflag,
            .c_cflag = e->c_cflag,
            .c_lflag = e->c_lflag,
            .c_line = (cc_t)e->c_line,
            .c_ispeed = e->c_ispeed,
            .c_ospeed = e->c_ospeed,
        };
        for (size_t i = 0; i < e->n_c_cc && i < NCCS; i++)
            t.c_cc[i] = (cc_t)e->c_cc[i];
        batch_call(b, "set up its terminal", SYS_ioctl, (uint64_t)fd, TCSETS2,
                   batch_data(b, &t, sizeof(t)));
    }
    if (info->winsize) {
        struct winsize w = {
            .ws_row = (unsigned short)info->winsize->ws_row,
            .ws_col = (unsigned short)info->winsize->ws_col,
            .ws_xpixel = (unsigned short)info->winsize->ws_xpixel,
            .ws_ypixel = (unsigned short)info->winsize->ws_ypixel,
        };
        batch_call(b, "set the size of its terminal", SYS_ioctl, (uint64_t)fd, TIOCSWINSZ,
                   batch_data(b, &w, sizeof(w)));
    }
}

/* Run in the session leader of the terminal when all groups are there. SIGTTOU and SIGHUP are
 * blocked like all signals. */
int terminal_restore_session(struct maker *m, const TtyInfoEntry *info, struct error *err)
{
    char path[64];
    slave_path(m->restore, info, path);
    int fd = maker_open(m, path, O_RDWR | O_NOCTTY, err);
    if (fd < 0)
        return fd;
    batch_reset(m->batch);
    /* 1: take it from whatever session has it now. */
    batch_call(m->batch, "get its controlling terminal", SYS_ioctl, (uint64_t)fd, TIOCSCTTY, 1);
    terminal_set_attributes(m->batch, fd, info);
    if (info->pgrp) {
        int group = (int)info->pgrp;
        batch_try(m->batch, SYS_ioctl, (uint64_t)fd, TIOCSPGRP,
                  batch_data(m->batch, &group, sizeof(group)));
    }
    batch_call(m->batch, "close its terminal", SYS_close, (uint64_t)fd);
    return batch_run(m->batch, err);
}

const struct resource resource_terminal = {
    .name = "terminal",
    .type = FD_TYPES__TTY,
    .match = is_slave,
    .dump = dump,
    .restore = restore,
};
