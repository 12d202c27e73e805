/* Unix sockets whose other end is outside the container: refused, or, as the user wishes, found
 * hung up by the program, or connected again to where they were connected. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/io.h"
#include "engine/inode-search.h"
#include "engine/resources/resource.h"
#include "engine/resources/unix-diag.h"

enum { STATE_CLOSE = 7 };

/* The other end's name, as it calls itself: a path where it lives, or one that begins with a zero
 * byte. Empty: none. */
struct peer {
    char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    size_t size;
};

static bool is_inside(const struct dump *d, uint32_t ino)
{
    for (size_t i = 0; i < d->file_count; i++)
        if ((d->files[i].entry->usk && d->files[i].entry->usk->ino == ino) ||
            (d->files[i].refused && d->files[i].ino == ino))
            return true;
    return false;
}

static struct peer name_of_peer(struct dump *d, const struct file *file)
{
    struct descriptor f = {.task = tree_find_pid(&d->tree, file->holder), .fd = file->fd};
    struct sockaddr_un name = {0};
    struct peer peer = {0};
    socklen_t size = sizeof(name);
    /* One on its way through a socket is ours. */
    _cleanup_close_ int fd = f.task ? descriptor_borrow(&f) : dup(file->fd);
    size_t head = offsetof(struct sockaddr_un, sun_path);
    if (fd < 0 || getpeername(fd, (struct sockaddr *)&name, &size) < 0 || size <= head)
        return peer;
    peer.size = size - head < sizeof(name.sun_path) ? size - head : sizeof(name.sun_path);
    memcpy(peer.name, name.sun_path, peer.size);
    return peer;
}

static const char *describe(struct dump *d, const struct peer *p)
{
    if (!p->size)
        return "";
    return p->name[0] ? arena_printf(d->arena, " (%s)", p->name)
                      : arena_printf(d->arena, " (@%s)", p->name + 1);
}

/* By its name, if that is the name in the container too, else wherever the file is. */
static const char *find_path(struct dump *d, const struct peer *p, uint32_t ino)
{
    struct sought_inode s = {0}, *all = &s;
    struct stat st;
    _cleanup_close_ int fd =
        p->name[0] == '/' ? open_in_root(d->root_fd, p->name, O_PATH | O_NOFOLLOW, 0) : -1;
    bool known = unix_diag_bound(d, ino, &s.dev, &s.ino) == 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) &&
        (!known || (uint32_t)st.st_ino == s.ino))
        return arena_strdup(d->arena, p->name);
    if (!known)
        return NULL;
    inode_search(d, &all, 1);
    return s.path;
}

static int refuse(struct dump *d, const struct file *file, const struct peer *p, struct error *err)
{
    return error_set(err, ENOTSUP,
                     "%s is a unix socket whose other end%s is held by a process outside the "
                     "container: --external-unix=close lets the program find it hung up%s",
                     file_name(d, file), describe(d, p),
                     p->size ? ", --external-unix=reconnect connects it again" : "");
}

static int reconnect(struct dump *d, const struct file *file, const struct peer *p,
                     struct error *err)
{
    UnixSkEntry *e = file->entry->usk;
    struct json *o = extra_of(d->extra, "sockets", e->id);
    if (!p->name[0]) { /* often filled up with zeros */
        size_t length = strlen(p->name + 1);
        for (size_t i = 1 + length; i < p->size; i++)
            if (p->name[i])
                return error_set(err, ENOTSUP,
                                 "%s is a unix socket connected to%s outside, a name with zeros "
                                 "in it, which firn cannot save",
                                 file_name(d, file), describe(d, p));
        js_set(o, "outside", js_string(arena_printf(d->arena, "@%s", p->name + 1)));
        js_set(o, "outsideSize", js_int((int64_t)p->size));
        return 0;
    }
    const char *path = find_path(d, p, e->peer);
    if (!path)
        return error_set(err, ENOTSUP,
                         "%s is a unix socket connected to%s outside, which has no path in the "
                         "container: it cannot be connected again (--external-unix=close lets the "
                         "program find it hung up)",
                         file_name(d, file), describe(d, p));
    js_set(o, "outside", js_string(path));
    return 0;
}

static int settle(struct dump *d, const struct file *file, struct error *err)
{
    UnixSkEntry *e = file->entry->usk;
    struct peer p = name_of_peer(d, file);
    int r = 0;
    if (d->options.unix_outside == UNIX_OUTSIDE_REFUSE)
        return refuse(d, file, &p, err);
    if (d->options.unix_outside == UNIX_OUTSIDE_RECONNECT && p.size)
        r = reconnect(d, file, &p, err);
    e->peer = 0;
    if (e->type == SOCK_DGRAM)
        e->state = STATE_CLOSE;
    return r;
}

int unix_sockets_settle(struct dump *d, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->file_count; i++) {
        const UnixSkEntry *e = d->files[i].entry->usk;
        if (e && e->peer && !is_inside(d, e->peer))
            r = dump_refuse_error(d, settle(d, &d->files[i], err), err);
    }
    return r;
}
