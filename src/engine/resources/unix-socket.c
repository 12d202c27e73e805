/* Unix sockets, as a dump sees them. */
#include "engine/resources/unix-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/strv.h"
#include "engine/resources/unix-diag.h"

enum { STATE_ESTABLISHED = 1, STATE_CLOSE = 7, STATE_LISTEN = 10 };

static bool match(const struct descriptor *f)
{
    return socket_family(f) == AF_UNIX;
}

static int dump_name(struct dump *d, int fd, UnixSkEntry *e)
{
    struct sockaddr_un name = {0};
    socklen_t size = sizeof(name);
    if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
        return -errno;
    size_t head = offsetof(struct sockaddr_un, sun_path);
    size_t length = size > head ? size - head : 0;
    if (length > sizeof(name.sun_path))
        length = sizeof(name.sun_path);
    if (length && name.sun_path[0]) /* a path ends with a zero byte that the kernel counts */
        length = strnlen(name.sun_path, length) + 1;
    e->name.len = length;
    e->name.data = arena_memdup(d->arena, name.sun_path, length);
    return 0;
}

/* The directory that a relative name starts from: the path without the name. */
static int keep_directory(struct dump *d, const char *path, UnixSkEntry *e)
{
    const char *name = (const char *)e->name.data;
    size_t all = strlen(path), tail = strlen(name);
    if (name[0] == '/')
        return 0;
    if (all <= tail || !string_ends(path, name) || path[all - tail - 1] != '/')
        return -ENOENT;
    e->name_dir = arena_strdup(d->arena, path);
    e->name_dir[all - tail == 1 ? 1 : all - tail - 1] = 0;
    return 0;
}

static bool leads_to(struct dump *d, const char *path, const struct stat *st)
{
    struct stat there;
    _cleanup_close_ int fd = open_in_root(d->root_fd, path, O_PATH | O_NOFOLLOW, 0);
    return fd >= 0 && fstat(fd, &there) == 0 && there.st_ino == st->st_ino &&
           there.st_dev == st->st_dev;
}

/* Where it is by its name, from the root or where the process works; only a socket will do. */
static int find_by_name(struct dump *d, const struct descriptor *f, const char *name, char *path,
                        size_t size)
{
    char place[4096] = "";
    struct stat st;
    if (name[0] != '/' && proc_link(f->task->pid, "cwd", place, sizeof(place)) < 0)
        return -ENOENT;
    bool slash = name[0] == '/' || strcmp(place, "/") == 0;
    snprintf(path, size, "%s%s%s", place, slash ? "" : "/", name);
    int fd = open_in_root(d->root_fd, path, O_PATH | O_NOFOLLOW, 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
        return fd;
    if (fd >= 0)
        close(fd);
    return -ENOENT;
}

/* The file it is bound to. Where the network namespace is not ours the kernel does not give it. */
static int open_bound(struct dump *d, const struct descriptor *f, int fd, const char *name,
                      char *path, size_t size, struct error *err)
{
    char link[64];
    int file = ioctl(fd, SIOCUNIXFILE);
    if (file < 0 && errno == EPERM) {
        file = find_by_name(d, f, name, path, size);
        return file >= 0
                   ? file
                   : error_set(err, EPERM,
                               "%s is a unix socket bound to %s, which is not there any more: "
                               "only root may ask where it is (CAP_NET_ADMIN over the network "
                               "namespace; a container with --network none has one of its own)",
                               descriptor_name(d, f), name);
    }
    if (file < 0)
        return error_errno(err, errno, "cannot look at the path of %s", descriptor_name(d, f));
    snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
    ssize_t n = readlink(link, path, size - 1);
    path[n < 0 ? 0 : n] = 0;
    return file;
}

static int keep_owner(struct dump *d, UnixSkEntry *e, const struct stat *st)
{
    e->file_perms = arena_new_of(d->arena, FilePermsEntry);
    file_perms_entry__init(e->file_perms);
    e->file_perms->mode = st->st_mode & 07777;
    e->file_perms->uid = st->st_uid;
    e->file_perms->gid = st->st_gid;
    return 0;
}

/* Its name is free again, as if it had been deleted; who was accepted by it has the name too, but
 * the file only once. */
static void note_moved(struct dump *d, UnixSkEntry *e, const char *path)
{
    e->deleted = true;
    if (e->state == STATE_LISTEN || e->type == SOCK_DGRAM)
        js_set(extra_of(d->extra, "sockets", e->id), "movedTo", js_string(path));
}

/* The socket's file: there with its owner and mode, or deleted. */
static int dump_path_name(struct dump *d, const struct descriptor *f, int fd, UnixSkEntry *e,
                          struct error *err)
{
    char path[8192];
    struct stat st;
    const char *name = (const char *)e->name.data;
    _cleanup_close_ int file = open_bound(d, f, fd, name, path, sizeof(path), err);
    if (file < 0)
        return file;
    if (fstat(file, &st) < 0)
        return error_errno(err, errno, "cannot look at the path of %s", descriptor_name(d, f));
    e->has_deleted = true;
    e->deleted = st.st_nlink == 0 || string_ends(path, " (deleted)");
    if (e->deleted && string_ends(path, " (deleted)"))
        path[strlen(path) - strlen(" (deleted)")] = 0;
    bool moved = !e->deleted && !leads_to(d, name[0] == '/' ? name : path, &st);
    if (moved && name[0] == '/' && leads_to(d, path, &st)) {
        note_moved(d, e, path);
        return keep_owner(d, e, &st);
    }
    if (moved || keep_directory(d, path, e) < 0)
        return error_set(err, ENOTSUP,
                         "%s is a unix socket bound to %s, which is now at %s: firn cannot save "
                         "sockets that were moved",
                         descriptor_name(d, f), name, path);
    return keep_owner(d, e, &st);
}

static void dump_owner(struct dump *d, int fd, uint32_t id)
{
    struct ucred owner = {0};
    socklen_t size = sizeof(owner);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &size) < 0 || owner.pid <= 0)
        return;
    const struct task *t = tree_find_pid(&d->tree, owner.pid);
    struct json *list = js_array();
    js_push(list, js_int(t ? t->vpid : 0));
    js_push(list, js_int(owner.uid));
    js_push(list, js_int(owner.gid));
    js_set(extra_of(d->extra, "sockets", id), "owner", list);
}

static UnixSkEntry *new_entry(struct dump *d, const struct descriptor *f, FileEntry *entry,
                              int type, const struct unix_diag *u)
{
    UnixSkEntry *e = arena_new_of(d->arena, UnixSkEntry);
    unix_sk_entry__init(e);
    e->id = entry->id;
    e->ino = (uint32_t)f->st.st_ino;
    e->type = (uint32_t)type;
    e->state = u->state == STATE_LISTEN ? STATE_LISTEN
               : u->has_peer            ? STATE_ESTABLISHED
                                        : STATE_CLOSE;
    e->flags = f->flags;
    e->backlog = e->state == STATE_LISTEN ? u->backlog : 0;
    e->peer = u->peer;
    e->fown = descriptor_owner(d, f);
    e->has_shutdown = true;
    e->shutdown = (SkShutdown)(u->shutdown & 3);
    entry->type = FD_TYPES__UNIXSK;
    entry->usk = e;
    return e;
}

/* A connection that its listener has not accepted yet: its data are in a socket that nobody has. */
static int dump_waiting(struct dump *d, const struct descriptor *f, int fd, UnixSkEntry *e,
                        struct error *err)
{
    const struct unix_diag *at = unix_diag_waits_at(d, e->ino);
    int sent = 0;
    if (!at || e->state != STATE_ESTABLISHED || e->peer)
        return 0;
    if (ioctl(fd, SIOCOUTQ, &sent) < 0 || sent > 0) {
        d->passing++;
        return error_set(err, ENOTSUP,
                         "%s is a unix connection with data in it that is not accepted yet, which "
                         "firn cannot save: try again",
                         descriptor_name(d, f));
    }
    js_set(extra_of(d->extra, "sockets", e->id), "waitsAt", js_int(at->ino));
    return 0;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    const char *name = descriptor_name(d, f);
    const struct unix_diag *u = NULL;
    _cleanup_close_ int fd = descriptor_borrow(f);
    struct socket_kind kind;
    if (fd < 0 || socket_kind(fd, &kind) < 0)
        return error_errno(err, fd < 0 ? -fd : errno, "cannot look at %s", name);
    int r = unix_diag_find(d, (uint32_t)f->st.st_ino, &u, err);
    if (r == 0 && !u)
        r = error_set(err, ENOTSUP,
                      "%s is a socket of another network namespace, which firn cannot save", name);
    if (r < 0)
        return r;
    UnixSkEntry *e = new_entry(d, f, entry, kind.type, u);
    if (dump_name(d, fd, e) < 0)
        return error_errno(err, errno, "cannot read the name of %s", name);
    if (e->name.len && e->name.data[0])
        r = dump_path_name(d, f, fd, e, err);
    struct socket_options o;
    if (r == 0)
        r = socket_options_dump(d, fd, name, entry->id, &o, err);
    if (r < 0)
        return r;
    e->opts = o.opts;
    dump_owner(d, fd, entry->id);
    r = dump_waiting(d, f, fd, e, err);
    return r < 0 || e->state == STATE_LISTEN ? r : socket_queue_dump(d, f, fd, entry->id, err);
}

const struct resource resource_unix_socket = {.name = "unix socket",
                                              .type = FD_TYPES__UNIXSK,
                                              .match = match,
                                              .dump = dump,
                                              .restore = unix_socket_restore,
                                              .finish = unix_socket_finish,
                                              .check = unix_socket_check};
