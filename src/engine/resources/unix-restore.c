/* Making unix sockets again. Connections without names come in pairs; one with a name is made as it
 * was, by connecting to a listening socket of that name. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/resources/unix-name.h"

enum { STATE_ESTABLISHED = 1, STATE_LISTEN = 10 };

static UnixSkEntry *find_ino(const struct restore *r, uint32_t ino)
{
    for (size_t i = 0; ino && i < r->file_count; i++)
        if (r->files[i]->usk && r->files[i]->usk->ino == ino)
            return r->files[i]->usk;
    return NULL;
}

/* Connected with each other. */
static UnixSkEntry *partner(const struct restore *r, const UnixSkEntry *e)
{
    UnixSkEntry *peer = find_ino(r, e->peer);
    return peer && peer != e && peer->peer == e->ino && peer->type == e->type ? peer : NULL;
}

static UnixSkEntry *find_listener(const struct restore *r, const UnixSkEntry *named)
{
    for (size_t i = 0; i < r->file_count; i++) {
        UnixSkEntry *e = r->files[i]->usk;
        if (e && e->state == STATE_LISTEN && e->type == named->type &&
            !(e->has_deleted && e->deleted) && unix_same_name(e, named->name.data, named->name.len))
            return e;
    }
    return NULL;
}

/* ---- checks ---- */

static bool name_is_sane(const UnixSkEntry *e)
{
    if (e->name.len == 0)
        return true;
    if (e->name.len > UNIX_NAME_MAX)
        return false;
    if (!e->name.data[0])
        return true;
    size_t length = strnlen((const char *)e->name.data, e->name.len);
    return length + 1 == e->name.len &&
           (e->name.data[0] == '/' || (e->name_dir && e->name_dir[0] == '/'));
}

static const char *outside(const struct restore *r, const UnixSkEntry *e)
{
    return js_get_string(extra_find(r->extra, "sockets", e->id), "outside");
}

static size_t outside_size(const struct restore *r, const UnixSkEntry *e)
{
    return (size_t)js_get_int(extra_find(r->extra, "sockets", e->id), "outsideSize", 0);
}

static bool outside_is_sane(const struct restore *r, const UnixSkEntry *e)
{
    const char *name = outside(r, e);
    size_t room = sizeof(((struct sockaddr_un *)0)->sun_path), size = outside_size(r, e);
    if (!name || name[0] == '/')
        return !name || (strlen(strrchr(name, '/')) < room && strlen(name) < 4096);
    return name[0] == '@' && strlen(name) <= room && size >= strlen(name) && size <= room;
}

static bool moved_is_sane(const struct restore *r, const UnixSkEntry *e)
{
    const char *path = js_get_string(extra_find(r->extra, "sockets", e->id), "movedTo");
    return !path || (path[0] == '/' && strlen(path) < 4096 && strrchr(path, '/')[1] &&
                     e->has_deleted && e->deleted && e->name.len && e->name.data[0]);
}

int unix_socket_check(struct restore *r, const FileEntry *entry, struct error *err)
{
    const UnixSkEntry *e = entry->usk;
    if (!e || e->id != entry->id ||
        (e->type != SOCK_STREAM && e->type != SOCK_DGRAM && e->type != SOCK_SEQPACKET) ||
        !name_is_sane(e) || (e->state == STATE_LISTEN && !unix_named(e)) ||
        !outside_is_sane(r, e) || !moved_is_sane(r, e))
        return error_set(err, EINVAL, "the checkpoint's unix socket %u is not one that can be",
                         entry->id);
    if (e->peer && !find_ino(r, e->peer))
        return error_set(err, ENOTSUP,
                         "the checkpoint's unix socket %u has its other end outside the container",
                         entry->id);
    return 0;
}

/* ---- who is at the other end ---- */

/* Calls between the two are made as the user that SO_PEERCRED is to name. */
static void become(struct maker *m, uint32_t id)
{
    const struct json *owner = js_get(extra_find(m->restore->extra, "sockets", id), "owner");
    uint64_t uid = (uint64_t)js_int_value(js_at(owner, 1));
    uint64_t gid = (uint64_t)js_int_value(js_at(owner, 2));
    if (js_count(owner) != 3 || (uid == 0 && gid == 0))
        return;
    batch_try(m->batch, SYS_setresgid, (uint64_t)-1, gid, (uint64_t)-1);
    batch_try(m->batch, SYS_setresuid, (uint64_t)-1, uid, (uint64_t)-1);
}

/* Other processes fetch descriptors from it, for which it must stay dumpable. */
static void come_back(struct maker *m)
{
    batch_try(m->batch, SYS_setresuid, (uint64_t)-1, 0, (uint64_t)-1);
    batch_try(m->batch, SYS_setresgid, (uint64_t)-1, 0, (uint64_t)-1);
    batch_try(m->batch, SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int64_t call_as(struct maker *m, uint32_t id, const char *what, long number, uint64_t a,
                       uint64_t b, uint64_t c, uint64_t d, struct error *err)
{
    become(m, id);
    size_t call = batch_try(m->batch, number, a, b, c, d);
    come_back(m);
    int n = batch_run(m->batch, err);
    int64_t result = n < 0 ? n : batch_result(m->batch, call);
    return n == 0 && result < 0
               ? error_errno(err, (int)-result, "process %d cannot %s again", m->task->vpid, what)
               : result;
}

/* ---- pairs ---- */

/* The end that nobody has any more: ours until its data are in the other one's queue. */
static int keep_end(struct maker *m, uint32_t id, int fd, struct error *err)
{
    struct restore *r = m->restore;
    int copy = socket_copy(m->task, fd, err);
    batch_reset(m->batch);
    maker_call(m, NULL, "close a socket", SYS_close, (uint64_t)fd);
    if (copy < 0)
        return copy;
    array_reserve(r->ends, r->end_count, r->end_room);
    r->ends[r->end_count++] = (struct socket_end){id, copy};
    return 0;
}

/* `other` waits for the processes that have it. */
static int hand_out(struct maker *m, const UnixSkEntry *e, const UnixSkEntry *peer, int fd,
                    int other, struct error *err)
{
    int high = maker_raise(m, fd, err);
    if (high < 0)
        return high;
    int n = peer ? maker_offer(m, peer->id, other, err) : keep_end(m, e->id, other, err);
    return n < 0 ? n : high;
}

static int make_pair(struct maker *m, const UnixSkEntry *e, const UnixSkEntry *peer,
                     struct error *err)
{
    batch_reset(m->batch);
    remote_addr at = batch_room(m->batch, 2 * sizeof(int));
    int64_t n = call_as(m, e->id, "create a pair of sockets", SYS_socketpair, AF_UNIX,
                        e->type | SOCK_CLOEXEC, 0, at, err);
    if (n < 0)
        return (int)n;
    int ends[2];
    memcpy(ends, batch_local(m->batch, at), sizeof(ends));
    return hand_out(m, e, peer, ends[0], ends[1], err);
}

/* ---- single sockets ---- */

static int make_one(struct maker *m, const UnixSkEntry *e, struct error *err)
{
    batch_reset(m->batch);
    int fd =
        (int)maker_call(m, err, "create a socket", SYS_socket, AF_UNIX, e->type | SOCK_CLOEXEC, 0);
    if (fd < 0 || !unix_named(e))
        return fd;
    _cleanup_unix_path_ struct unix_path path;
    int n = unix_bind(m, fd, e, false, &path, err);
    path.moved = js_get_string(extra_find(m->restore->extra, "sockets", e->id), "movedTo");
    if (n == 0)
        n = unix_path_settle(m, &path, e, err);
    return n < 0 ? n : fd;
}

static int make_listening(struct maker *m, const UnixSkEntry *e, struct error *err)
{
    int fd = make_one(m, e, err);
    if (fd < 0)
        return fd;
    batch_reset(m->batch);
    int64_t n = call_as(m, e->id, "listen", SYS_listen, (uint64_t)fd, e->backlog, 0, 0, err);
    return n < 0 ? (int)n : fd;
}

/* ---- connections with names ---- */

static int connect_to(struct maker *m, int fd, uint32_t as, const UnixSkEntry *to,
                      struct error *err)
{
    struct sockaddr_un name;
    socklen_t size = unix_address(to, &name);
    batch_reset(m->batch);
    if (to->name_dir && to->name_dir[0] == '/')
        batch_try(m->batch, SYS_chdir, batch_string(m->batch, to->name_dir));
    remote_addr at = batch_data(m->batch, &name, size);
    return (int)call_as(m, as, "connect a unix socket", SYS_connect, (uint64_t)fd, at, size, 0,
                        err);
}

/* Both ends of a connection that was accepted at the name of `server`. */
static int connect_and_accept(struct maker *m, int listener, const UnixSkEntry *server,
                              const UnixSkEntry *client, int ends[2], struct error *err)
{
    UnixSkEntry nobody = UNIX_SK_ENTRY__INIT;
    nobody.type = server->type;
    int fd = make_one(m, client ? client : &nobody, err);
    int n = fd < 0 ? fd : connect_to(m, fd, server->id, server, err);
    if (n < 0)
        return n;
    batch_reset(m->batch);
    int64_t accepted = maker_call(m, err, "accept a unix connection", SYS_accept4,
                                  (uint64_t)listener, 0, 0, SOCK_CLOEXEC);
    ends[0] = (int)accepted;
    ends[1] = fd;
    return accepted < 0 ? (int)accepted : 0;
}

/* Its listening socket is gone: one that lives only for this. */
static int connect_by_own(struct maker *m, const UnixSkEntry *server, const UnixSkEntry *client,
                          int ends[2], struct error *err)
{
    batch_reset(m->batch);
    int fd = (int)maker_call(m, err, "create a socket", SYS_socket, AF_UNIX,
                             server->type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    _cleanup_unix_path_ struct unix_path path;
    int n = unix_bind(m, fd, server, true, &path, err);
    if (n < 0)
        return n;
    batch_reset(m->batch);
    n = (int)call_as(m, client ? client->id : 0, "listen", SYS_listen, (uint64_t)fd, 1, 0, 0, err);
    if (n == 0)
        n = connect_and_accept(m, fd, server, client, ends, err);
    int settled = unix_path_settle(m, &path, server, n < 0 ? NULL : err);
    batch_reset(m->batch);
    maker_call(m, NULL, "close a socket", SYS_close, (uint64_t)fd);
    return n < 0 ? n : settled;
}

static int make_connection(struct maker *m, const UnixSkEntry *e, const UnixSkEntry *peer,
                           struct error *err)
{
    bool by_peer = peer && unix_named(peer) && (!unix_named(e) || find_listener(m->restore, peer));
    const UnixSkEntry *server = by_peer ? peer : e, *client = by_peer ? e : peer;
    const UnixSkEntry *at = find_listener(m->restore, server);
    int ends[2], n;
    if (at) {
        int listener = maker_file(m, at->id, err);
        n = listener < 0 ? listener : connect_and_accept(m, listener, server, client, ends, err);
    } else {
        n = connect_by_own(m, server, client, ends, err);
    }
    return n < 0 ? n : hand_out(m, e, peer, ends[by_peer], ends[!by_peer], err);
}

/* ---- connections with the outside ---- */

/* A path may be longer than an address. */
static socklen_t outside_address(struct batch *b, const char *name, size_t size,
                                 struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    const char *base = strlen(name) < sizeof(ret->sun_path) ? name : strrchr(name, '/') + 1;
    if (base != name) {
        char directory[4096];
        snprintf(directory, sizeof(directory), "%.*s", (int)(base - name), name);
        batch_try(b, SYS_chdir, batch_string(b, directory));
    }
    snprintf(ret->sun_path, sizeof(ret->sun_path), "%.107s", base);
    if (name[0] != '@')
        return sizeof(*ret);
    ret->sun_path[0] = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

/* Not waiting for a server that is busy. */
static int connect_outside(struct maker *m, int fd, const UnixSkEntry *e, struct error *err)
{
    const char *name = outside(m->restore, e);
    struct sockaddr_un to;
    batch_reset(m->batch);
    size_t length = outside_size(m->restore, e);
    socklen_t size = outside_address(m->batch, name, length, &to);
    remote_addr at = batch_data(m->batch, &to, size);
    batch_try(m->batch, SYS_fcntl, (uint64_t)fd, F_SETFL, O_NONBLOCK);
    become(m, e->id);
    size_t call = batch_try(m->batch, SYS_connect, (uint64_t)fd, at, size);
    come_back(m);
    batch_try(m->batch, SYS_fcntl, (uint64_t)fd, F_SETFL, 0);
    int n = batch_run(m->batch, err);
    if (n < 0 || batch_result(m->batch, call) == 0)
        return n;
    return error_errno(err, (int)-batch_result(m->batch, call),
                       "process %d cannot connect to the unix socket %s outside again (a "
                       "checkpoint with --external-unix=close needs no such connection)",
                       m->task->vpid, name);
}

static int make_outside(struct maker *m, const UnixSkEntry *e, struct error *err)
{
    int fd = make_one(m, e, err);
    int n = fd < 0 ? fd : connect_outside(m, fd, e, err);
    return n < 0 ? n : fd;
}

static bool waits(const struct restore *r, const UnixSkEntry *e)
{
    return js_get(extra_find(r->extra, "sockets", e->id), "waitsAt") != NULL;
}

int unix_socket_restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const UnixSkEntry *e = entry->usk;
    const UnixSkEntry *peer = partner(m->restore, e);
    bool nameless = !unix_named(e) && (!peer || !unix_named(peer));
    if (e->state == STATE_LISTEN)
        return make_listening(m, e, err);
    if (outside(m->restore, e))
        return make_outside(m, e, err);
    if (e->type == SOCK_DGRAM)
        return peer && nameless ? make_pair(m, e, peer, err) : make_one(m, e, err);
    if (e->state != STATE_ESTABLISHED || waits(m->restore, e))
        return make_one(m, e, err);
    return nameless ? make_pair(m, e, peer, err) : make_connection(m, e, peer, err);
}

/* ---- when all sockets are there ---- */

/* Our copy of the socket of an entry, or of the end that nobody has. */
static int copy_of(struct maker *m, const UnixSkEntry *e, struct error *err)
{
    const struct offer *offer = restore_offer(m->restore, e->id);
    return offer && offer->task ? socket_copy(offer->task, offer->fd, err)
                                : error_set(err, EINVAL,
                                            "the checkpoint's socket %u belongs to "
                                            "nobody",
                                            e->id);
}

static int own_end(const struct restore *r, uint32_t id)
{
    for (size_t i = 0; i < r->end_count; i++)
        if (r->ends[i].id == id)
            return r->ends[i].fd;
    return -1;
}

static int temporary_sender(struct maker *m, struct error *err)
{
    int back, n = socket_enter_network(m->restore->init, &back, err);
    if (n < 0)
        return n;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socket_leave_network(back);
    return fd < 0 ? error_errno(err, errno, "cannot create a socket") : fd;
}

/* Who is to send a packet to `e`. */
static int sender_of(struct maker *m, const UnixSkEntry *e, const struct socket_packet *p,
                     struct error *err)
{
    struct restore *r = m->restore;
    int end = own_end(r, e->id);
    if (end >= 0)
        return dup(end);
    for (size_t i = 0; p->from_size && e->type == SOCK_DGRAM && i < r->file_count; i++)
        if (r->files[i]->usk && r->files[i]->usk->type == SOCK_DGRAM &&
            unix_same_name(r->files[i]->usk, p->from, p->from_size))
            return copy_of(m, r->files[i]->usk, err);
    const UnixSkEntry *peer = partner(r, e);
    if (peer && (e->type != SOCK_DGRAM || !unix_named(e)))
        return copy_of(m, peer, err);
    if (e->type != SOCK_DGRAM)
        return error_set(err, EINVAL, "the checkpoint's socket %u has data from nobody", e->id);
    return temporary_sender(m, err);
}

/* The file of a bound socket; by its path where the kernel does not give it. */
static int bound_file(const struct restore *r, int copy, const UnixSkEntry *e)
{
    char root[64], path[8192];
    int file = ioctl(copy, SIOCUNIXFILE);
    if (file >= 0 || errno != EPERM)
        return file;
    snprintf(root, sizeof(root), "/proc/%d/root", r->init);
    _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof(path), "%s/%.*s", e->name_dir ? e->name_dir : "", (int)e->name.len,
             (const char *)e->name.data);
    return fd < 0 ? -1 : open_in_root(fd, path, O_PATH, 0);
}

/* Where it is reached without its path. */
static socklen_t address_of(const struct restore *r, int copy, const UnixSkEntry *e,
                            struct sockaddr_un *ret, int *ret_file)
{
    *ret_file = -1;
    if (e->type != SOCK_DGRAM || !unix_named(e))
        return 0;
    if (!e->name.data[0])
        return unix_address(e, ret);
    *ret_file = bound_file(r, copy, e);
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d", *ret_file);
    return sizeof(*ret);
}

struct control {
    char data[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * 253)];
    int fds[253];
    size_t fd_count;
};

static void control_clear(struct control *c)
{
    for (size_t i = 0; i < c->fd_count; i++)
        close(c->fds[i]);
}

static int fetch_rights(struct maker *m, const struct socket_packet *p, struct control *c,
                        struct error *err)
{
    for (size_t i = 0; i < p->rights_count; i++) {
        int fd = maker_file(m, p->rights[i], err);
        int copy = fd < 0 ? fd : socket_copy(m->task, fd, err);
        if (copy < 0)
            return copy;
        c->fds[c->fd_count++] = copy;
    }
    return 0;
}

/* A sender that is not there any more has pid 0 for who receives. */
static size_t fill_control(struct maker *m, const struct socket_packet *p, struct control *c)
{
    struct msghdr h = {.msg_control = c->data, .msg_controllen = sizeof(c->data)};
    struct cmsghdr *at = CMSG_FIRSTHDR(&h);
    size_t used = 0;
    if (c->fd_count) {
        at->cmsg_level = SOL_SOCKET;
        at->cmsg_type = SCM_RIGHTS;
        at->cmsg_len = CMSG_LEN(c->fd_count * sizeof(int));
        memcpy(CMSG_DATA(at), c->fds, c->fd_count * sizeof(int));
        used = CMSG_SPACE(c->fd_count * sizeof(int));
        at = (struct cmsghdr *)(void *)(c->data + used);
    }
    if (p->pid < 0)
        return used;
    const struct task *t = tree_find(&m->restore->tree, (pid_t)p->pid);
    struct ucred sender = {t ? t->pid : getpid(), (uid_t)p->uid, (gid_t)p->gid};
    at->cmsg_level = SOL_SOCKET;
    at->cmsg_type = SCM_CREDENTIALS;
    at->cmsg_len = CMSG_LEN(sizeof(sender));
    memcpy(CMSG_DATA(at), &sender, sizeof(sender));
    return used + CMSG_SPACE(sizeof(sender));
}

static void name_sender(struct msghdr *h, pid_t pid)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(h); at; at = CMSG_NXTHDR(h, at))
        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_CREDENTIALS)
            memcpy(CMSG_DATA(at) + offsetof(struct ucred, pid), &pid, sizeof(pid));
}

/* Only who is root of a pid namespace may speak in another process's name, so an ordinary user does
 * it from within the container's. Returns 0 or an errno. */
static int send_inside(const struct maker *m, const struct socket_packet *p, int sender,
                       struct msghdr *h)
{
    const struct task *t = tree_find(&m->restore->tree, (pid_t)p->pid);
    pid_t helper = fork();
    if (helper == 0) {
        _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, m->restore->init, 0);
        if (setns(pidfd, CLONE_NEWPID) < 0)
            _exit(errno);
        pid_t inner = fork();
        if (inner == 0) {
            name_sender(h, t ? t->vpid : getpid());
            ssize_t sent = sendmsg(sender, h, MSG_DONTWAIT | MSG_NOSIGNAL);
            _exit(sent == (ssize_t)p->size ? 0 : sent < 0 ? errno : EIO);
        }
        int status;
        _exit(inner > 0 && waitpid(inner, &status, 0) == inner && WIFEXITED(status)
                  ? WEXITSTATUS(status)
                  : EIO);
    }
    int status;
    return helper > 0 && waitpid(helper, &status, 0) == helper && WIFEXITED(status)
               ? WEXITSTATUS(status)
               : EIO;
}

static int send_packet(struct maker *m, int copy, const UnixSkEntry *e,
                       const struct socket_packet *p, struct error *err)
{
    _cleanup_(control_clear) struct control c = {0};
    struct sockaddr_un to;
    _cleanup_close_ int file = -1;
    _cleanup_close_ int sender = sender_of(m, e, p, err);
    int n = sender < 0 ? sender : fetch_rights(m, p, &c, err);
    if (n < 0)
        return n;
    socklen_t size = address_of(m->restore, copy, e, &to, &file);
    struct iovec v = {p->data, p->size};
    struct msghdr h = {.msg_name = size ? &to : NULL,
                       .msg_namelen = size,
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = c.data,
                       .msg_controllen = fill_control(m, p, &c)};
    ssize_t sent = sendmsg(sender, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
    int code = sent == (ssize_t)p->size ? 0 : sent < 0 ? errno : EIO;
    if (code == EPERM && p->pid >= 0)
        code = send_inside(m, p, sender, &h);
    if (code)
        return error_errno(err, code,
                           "cannot put back what was in the queue of a unix socket of process %d",
                           m->task->vpid);
    return 0;
}

static int fill_queue(struct maker *m, int copy, const UnixSkEntry *e, struct error *err)
{
    const struct socket_packets *all = m->restore->packets;
    int n = 0;
    /* What a server outside said belonged to the old connection. */
    for (size_t i = 0; n == 0 && i < all->count && !outside(m->restore, e); i++)
        if (all->list[i].id_for == e->id)
            n = send_packet(m, copy, e, &all->list[i], err);
    return n;
}

/* A datagram socket that is connected to one with a name, or a connection not accepted yet. */
static int connect_late(struct maker *m, int fd, int copy, const UnixSkEntry *e, struct error *err)
{
    struct restore *r = m->restore;
    if (waits(r, e)) {
        const UnixSkEntry *at =
            find_ino(r, (uint32_t)js_get_int(extra_find(r->extra, "sockets", e->id), "waitsAt", 0));
        return at && at->state == STATE_LISTEN ? connect_to(m, fd, e->id, at, err) : 0;
    }
    const UnixSkEntry *peer = find_ino(r, e->peer);
    if (e->type != SOCK_DGRAM || !peer || !unix_named(peer))
        return 0;
    struct sockaddr_un to;
    _cleanup_close_ int file = -1;
    _cleanup_close_ int target = copy_of(m, peer, err);
    if (target < 0)
        return target;
    socklen_t size = address_of(m->restore, target, peer, &to, &file);
    if (connect(copy, (struct sockaddr *)&to, size) < 0)
        return error_errno(err, errno, "cannot connect a unix socket of process %d again",
                           m->task->vpid);
    return 0;
}

static void close_end(struct restore *r, uint32_t id)
{
    for (size_t i = 0; i < r->end_count; i++)
        if (r->ends[i].id == id && r->ends[i].fd >= 0) {
            close(r->ends[i].fd);
            r->ends[i].fd = -1;
        }
}

/* Only when the queues of both ends are filled. */
static int shut_down(struct maker *m, int copy, const UnixSkEntry *e, struct error *err)
{
    const UnixSkEntry *peer = partner(m->restore, e);
    if (peer && peer->id > e->id)
        return 0;
    if (e->has_shutdown && e->shutdown)
        shutdown(copy, (int)e->shutdown - 1);
    if (!peer || !peer->has_shutdown || !peer->shutdown)
        return 0;
    _cleanup_close_ int other = copy_of(m, peer, err);
    if (other >= 0)
        shutdown(other, (int)peer->shutdown - 1);
    return other < 0 ? other : 0;
}

int unix_socket_finish(struct maker *m, const FileEntry *entry, int fd, struct error *err)
{
    const UnixSkEntry *e = entry->usk;
    const struct json *extra = extra_find(m->restore->extra, "sockets", entry->id);
    struct socket_options o = {.opts = e->opts, .extra = js_get(extra, "options")};
    _cleanup_close_ int copy = socket_copy(m->task, fd, err);
    int n = copy < 0 ? copy : socket_options_restore(m, copy, &o, err);
    if (n == 0 && e->flags & O_NONBLOCK)
        fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
    if (n == 0)
        n = fill_queue(m, copy, e, err);
    if (n == 0)
        n = connect_late(m, fd, copy, e, err);
    if (n < 0)
        return n;
    close_end(m->restore, entry->id);
    n = shut_down(m, copy, e, err);
    return n < 0 ? n : socket_options_restore_late(m, copy, &o, err);
}
