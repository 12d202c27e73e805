/* What waits in the pseudo terminals of the container, in images. Of a terminal whose master is
 * outside nothing is read: its master's owner does. */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/resources/socket.h"
#include "engine/resources/terminal-data.h"
#include "engine/resources/terminal.h"
#include "engine/shield.h"

#define PIECE_MAX (1u << 20)

/* ---- dump ---- */

struct terminal_side {
    uint32_t id; /* of its tty_info */
    int fd;
};

struct look {
    struct dump *d;
    int file; /* for each master: its id, the size of its pieces, the pieces */
};

struct head {
    uint32_t id;
    uint64_t size;
};

void terminal_keep(struct dump *d, uint32_t id, int fd)
{
    array_reserve(d->terminals, d->terminal_count, d->terminal_room);
    d->terminals[d->terminal_count++] = (struct terminal_side){id, fd};
}

static const struct terminal_side *find_side(const struct dump *d, uint32_t id)
{
    for (size_t i = 0; i < d->terminal_count; i++)
        if (d->terminals[i].id == id)
            return &d->terminals[i];
    return NULL;
}

static short poll_now(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

/* A slave that nobody has open has no input: whoever opens it next finds none. */
static int look_at_pair(struct look *l, const struct terminal_side *master)
{
    _cleanup_buf_ struct buf pieces = {0};
    bool held = find_side(l->d, master->id - MASTER_ID);
    if (!held && !(poll_now(master->fd) & POLLIN))
        return 0;
    _cleanup_close_ int slave = ioctl(master->fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (slave < 0)
        return errno == EIO ? 0 : -errno; /* locked */
    int r = terminal_take(master->fd, slave, held, &pieces);
    struct head head = {master->id, pieces.size};
    if (r == 0 && pieces.size && (r = write_full(l->file, &head, sizeof(head))) == 0)
        r = write_full(l->file, pieces.data, pieces.size);
    return r;
}

/* In the shield. */
static int look(void *context, struct error *err)
{
    struct look *l = context;
    int r = 0;
    for (size_t i = 0; r == 0 && i < l->d->terminal_count; i++)
        if (l->d->terminals[i].id >= MASTER_ID)
            r = look_at_pair(l, &l->d->terminals[i]);
    return r < 0 ? error_errno(err, -r, "cannot read what waits in a terminal of container %s",
                               l->d->options.name)
                 : 0;
}

static void take_piece(struct dump *d, uint32_t master, const struct terminal_piece *p,
                       const char *data)
{
    TtyDataEntry *e = arena_new_of(d->arena, TtyDataEntry);
    tty_data_entry__init(e);
    e->tty_id = p->output ? master : master - MASTER_ID;
    e->data.data = arena_memdup(d->arena, data, p->size);
    e->data.len = p->size;
    array_reserve(d->terminal_data, d->terminal_data_count, d->terminal_data_room);
    d->terminal_data[d->terminal_data_count++] = e;
    if (!p->line)
        return;
    struct json *o = extra_of(d->extra, "terminals", e->tty_id);
    js_set(o, "lines", js_int(js_get_int(o, "lines", 0) + 1));
}

static int take_pieces(struct dump *d, int file, struct error *err)
{
    struct head head;
    ssize_t n;
    if (lseek(file, 0, SEEK_SET) < 0)
        return error_errno(err, errno, "cannot read what waits in terminals");
    while ((n = read_full(file, &head, sizeof(head))) == sizeof(head)) {
        _cleanup_free_ char *all = xmalloc(head.size);
        if (read_full(file, all, head.size) != (ssize_t)head.size)
            return error_set(err, EIO, "cannot read what waits in terminals");
        for (size_t at = 0; at < head.size;) {
            struct terminal_piece p;
            memcpy(&p, all + at, sizeof(p));
            take_piece(d, head.id, &p, all + at + sizeof(p));
            at += sizeof(p) + p.size;
        }
    }
    return 0;
}

/* A program that reads from the master is told when nobody has the slave open any more. */
static void note_hangup(struct dump *d, const struct terminal_side *side)
{
    if (poll_now(side->fd) & POLLHUP && !find_side(d, side->id - MASTER_ID))
        js_set(extra_of(d->extra, "terminals", side->id), "hangup", js_bool(true));
}

int terminals_look(struct dump *d, struct error *err)
{
    size_t masters = 0;
    for (size_t i = 0; i < d->terminal_count; i++)
        if (d->terminals[i].id >= MASTER_ID && ++masters)
            note_hangup(d, &d->terminals[i]);
    if (!masters)
        return 0;
    _cleanup_close_ int file = memfd_create("terminals", MFD_CLOEXEC);
    if (file < 0)
        return error_errno(err, errno, "cannot read what waits in terminals");
    struct look l = {d, file};
    int r = shield(look, &l, err);
    return r < 0 ? r : take_pieces(d, file, err);
}

int terminal_write_data(struct dump *d, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_TTY_DATA, 0);
    for (size_t i = 0; i < d->terminal_data_count; i++)
        image_writer_add(w, d->terminal_data[i]);
    return d->terminal_data_count ? image_writer_put(w, d->sink, err) : 0;
}

void terminals_free(struct dump *d)
{
    for (size_t i = 0; i < d->terminal_count; i++)
        cleanup_close(&d->terminals[i].fd);
    free(d->terminals);
    free(d->terminal_data);
}

/* ---- restore ---- */

/* Input first, then output. */
static void collect(const struct restore *r, const struct image *all, uint32_t id, bool output,
                    struct buf *pieces)
{
    int64_t lines = js_get_int(extra_find(r->extra, "terminals", id), "lines", 0);
    for (size_t i = 0; i < all->count; i++) {
        const TtyDataEntry *e = all->messages[i];
        if (e->tty_id != id || e->data.len > PIECE_MAX)
            continue;
        struct terminal_piece p = {
            .output = output, .line = lines-- > 0, .size = (uint32_t)e->data.len};
        buf_add(pieces, &p, sizeof(p));
        buf_add(pieces, e->data.data, e->data.len);
    }
}

static const struct offer *master_of(const struct restore *r, uint32_t id)
{
    for (size_t i = 0; i < r->file_count; i++)
        if (r->files[i]->tty && r->files[i]->tty->tty_info_id == id && r->offers[i].task)
            return &r->offers[i];
    return NULL;
}

/* Opening the slave and closing it again is what hangs a terminal up. */
static int fill(const struct restore *r, const struct image *all, const TtyInfoEntry *info,
                struct error *err)
{
    _cleanup_buf_ struct buf pieces = {0};
    const struct offer *offer = master_of(r, info->id);
    bool hangup = js_get_bool(extra_find(r->extra, "terminals", info->id), "hangup", false);
    collect(r, all, info->id - MASTER_ID, false, &pieces);
    collect(r, all, info->id, true, &pieces);
    if (!offer || (!pieces.size && !hangup))
        return 0;
    _cleanup_close_ int master = socket_copy(offer->task, offer->fd, err);
    if (master < 0)
        return master;
    _cleanup_close_ int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK);
    int n = slave < 0 ? -errno : pieces.size ? terminal_give(master, slave, &pieces) : 0;
    return n < 0 ? error_errno(err, -n, "cannot put back what waited in terminal /dev/pts/%u",
                               info->pty->index)
                 : 0;
}

int restore_terminal_data(struct restore *r, struct error *err)
{
    _cleanup_(image_freep) struct image *all = NULL;
    int n = image_load_if(r->dirfd, IMAGE_TTY_DATA, 0, &all, err);
    for (size_t i = 0; n == 0 && i < r->ttys->count; i++) {
        const TtyInfoEntry *info = r->ttys->messages[i];
        if (info->pty && info->id >= MASTER_ID)
            n = fill(r, all, info, err);
    }
    return n;
}
