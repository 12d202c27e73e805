#include "engine/resources/socket-queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

#define CHUNK_MAX  (4u << 20)
#define PACKET_MAX (64u << 20)
#define RIGHTS_MAX 253 /* SCM_MAX_FD */

/* ---- dump ---- */

struct glance {
    char *data;
    ssize_t size;
    bool truncated;
    int fds[RIGHTS_MAX];
    size_t fd_count;
    struct ucred sender;
    bool has_sender;
    struct sockaddr_storage from;
    socklen_t from_size;
};

static void close_rights(struct glance *g)
{
    for (size_t i = 0; i < g->fd_count; i++)
        close(g->fds[i]);
    g->fd_count = 0;
}

static void take_control(struct glance *g, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&g->sender, CMSG_DATA(c), sizeof(g->sender));
            g->has_sender = true;
        } else if (c->cmsg_type == SCM_RIGHTS) {
            g->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(g->fds, CMSG_DATA(c), g->fd_count * sizeof(int));
        }
    }
}

/* The next `size` bytes, or the next packet, from `offset` on. 0: there is nothing more. */
static int peek(int fd, int offset, size_t size, struct glance *g)
{
    char control[CMSG_SPACE(sizeof(int) * RIGHTS_MAX) + CMSG_SPACE(sizeof(struct ucred)) + 256];
    struct iovec v = {g->data, size};
    struct msghdr m = {.msg_name = &g->from,
                       .msg_namelen = sizeof(g->from),
                       .msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof(control)};
    g->fd_count = 0;
    g->has_sender = false;
    if (offset >= 0 && setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) < 0)
        return -errno;
    g->size = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (g->size < 0)
        return errno == EAGAIN || errno == ENOTCONN || errno == EINVAL ? 0 : -errno;
    g->from_size = m.msg_namelen;
    g->truncated = m.msg_flags & MSG_TRUNC;
    take_control(g, &m);
    return 1;
}

static SkPacketEntry *new_packet(struct dump *d, uint32_t id, const void *data, size_t size)
{
    SkPacketEntry *e = arena_new_of(d->arena, SkPacketEntry);
    sk_packet_entry__init(e);
    e->id_for = id;
    e->length = (uint32_t)size;
    array_reserve(d->packets, d->packet_count, d->packet_room);
    d->packets[d->packet_count++] = (struct dump_packet){e, arena_memdup(d->arena, data, size)};
    return e;
}

static void keep_sender(struct dump *d, const struct glance *g)
{
    struct json *o = extra_of(d->extra, "packets", d->packet_count - 1);
    if (g->has_sender && g->sender.pid > 0) {
        const struct task *t = tree_find_pid(&d->tree, g->sender.pid);
        js_set(o, "pid", js_int(t ? t->vpid : 0));
        js_set(o, "uid", js_int(g->sender.uid));
        js_set(o, "gid", js_int(g->sender.gid));
    }
    if (g->from_size > sizeof(sa_family_t)) {
        _cleanup_buf_ struct buf hex = {0};
        const unsigned char *name = (const unsigned char *)&g->from;
        for (size_t i = sizeof(sa_family_t); i < g->from_size; i++)
            buf_printf(&hex, "%02x", name[i]);
        js_set(o, "from", js_string(hex.data));
    }
}

static int keep_rights(struct dump *d, const struct descriptor *f, struct glance *g,
                       SkPacketEntry *e, struct error *err)
{
    ScmEntry *scm = arena_new_of(d->arena, ScmEntry);
    scm_entry__init(scm);
    scm->type = SCM_RIGHTS;
    scm->rights = arena_array_of(d->arena, uint32_t, g->fd_count);
    e->scm = arena_array_of(d->arena, ScmEntry *, 1);
    e->scm[0] = scm;
    e->n_scm = 1;
    int r = 0;
    while (r == 0 && scm->n_rights < g->fd_count) {
        r = dump_sent_file(d, f->task, g->fds[scm->n_rights], &scm->rights[scm->n_rights], err);
        scm->n_rights++;
    }
    if (r < 0)
        return error_wrap(err, "in the queue of the socket that is %s", descriptor_name(d, f));
    g->fd_count = 0; /* they stay open: the dump compares other files with them */
    return 0;
}

static int keep(struct dump *d, const struct descriptor *f, struct glance *g, uint32_t id,
                struct error *err)
{
    SkPacketEntry *e = new_packet(d, id, g->data, (size_t)g->size);
    keep_sender(d, g);
    return g->fd_count ? keep_rights(d, f, g, e, err) : 0;
}

/* Of a stream it cannot be seen from outside how much of what comes before descriptors was sent
 * before them: one reads it in one piece with them, as recvmsg(2) with a large buffer does. */
static int keep_all(struct dump *d, const struct descriptor *f, int fd, uint32_t id, bool stream,
                    struct error *err)
{
    _cleanup_free_ char *data = xmalloc(CHUNK_MAX);
    struct glance g = {.data = data};
    int r, offset = 0;
    while ((r = peek(fd, stream ? offset : -1, CHUNK_MAX, &g)) > 0) {
        if (g.truncated)
            return error_set(err, ENOTSUP, "%s is a socket with a packet of more than %u bytes",
                             descriptor_name(d, f), CHUNK_MAX);
        if (stream && g.size == 0)
            break;
        r = keep(d, f, &g, id, err);
        close_rights(&g);
        if (r < 0)
            return r;
        offset += (int)g.size;
    }
    return r < 0 ? error_errno(err, -r, "cannot read the queue of %s", descriptor_name(d, f)) : 0;
}

int socket_queue_dump(struct dump *d, const struct descriptor *f, int fd, uint32_t id,
                      struct error *err)
{
    int yes = 1, zero = 0, peek_off = socket_int(fd, SOL_SOCKET, SO_PEEK_OFF, -1);
    int pass = socket_int(fd, SOL_SOCKET, SO_PASSCRED, 0);
    bool stream = socket_int(fd, SOL_SOCKET, SO_TYPE, 0) == SOCK_STREAM;
    if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)) < 0 ||
        (!pass && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0))
        return error_errno(err, errno, "cannot read the queue of %s", descriptor_name(d, f));
    int r = keep_all(d, f, fd, id, stream, err);
    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &peek_off, sizeof(peek_off));
    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &pass, sizeof(pass));
    return r;
}

int socket_queue_dump_datagrams(struct dump *d, const struct descriptor *f, int fd, uint32_t id,
                                struct error *err)
{
    int zero = 0, peek_off = socket_int(fd, SOL_SOCKET, SO_PEEK_OFF, -1);
    if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &zero, sizeof(zero)) < 0)
        return error_errno(err, errno, "cannot read the queue of %s", descriptor_name(d, f));
    int r = keep_all(d, f, fd, id, false, err);
    setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &peek_off, sizeof(peek_off));
    return r;
}

int socket_queues_write(struct dump *d, struct error *err)
{
    if (!d->packet_count)
        return 0;
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_SK_QUEUES, 0);
    for (size_t i = 0; i < d->packet_count; i++) {
        image_writer_add(w, d->packets[i].entry);
        image_writer_raw(w, d->packets[i].data, d->packets[i].entry->length);
    }
    return image_writer_put(w, d->sink, err);
}

/* ---- restore ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int parse_name(struct restore *r, const char *hex, struct socket_packet *p)
{
    size_t size = hex ? strlen(hex) / 2 : 0;
    if (size > 108)
        return -EINVAL;
    unsigned char *name = arena_alloc(r->arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        name[i] = (unsigned char)(high << 4 | low);
    }
    p->from = name;
    p->from_size = size;
    return 0;
}

static int take_rights(struct restore *r, const SkPacketEntry *e, struct socket_packet *p)
{
    if (e->n_scm > 1 ||
        (e->n_scm == 1 && (e->scm[0]->type != SCM_RIGHTS || e->scm[0]->n_rights > RIGHTS_MAX)))
        return -EINVAL;
    if (e->n_scm == 0)
        return 0;
    p->rights_count = e->scm[0]->n_rights;
    p->rights = arena_memdup(r->arena, e->scm[0]->rights, p->rights_count * sizeof(uint32_t));
    return 0;
}

static int load_one(struct restore *r, struct image_reader *reader, struct socket_packets *all,
                    struct error *err)
{
    _cleanup_message_ SkPacketEntry *e = NULL;
    int n = image_next(reader, (void **)&e, err);
    if (n <= 0)
        return n;
    if (e->length > PACKET_MAX)
        return image_error(reader, err, "a packet of %u bytes cannot be", e->length);
    const struct json *more = extra_find(r->extra, "packets", all->count);
    array_reserve(all->list, all->count, all->room);
    struct socket_packet *p = &all->list[all->count++];
    *p = (struct socket_packet){.id_for = e->id_for,
                                .size = e->length,
                                .data = arena_alloc(r->arena, e->length),
                                .pid = js_get_int(more, "pid", -1),
                                .uid = js_get_int(more, "uid", 0),
                                .gid = js_get_int(more, "gid", 0)};
    n = image_raw(reader, p->data, p->size, err);
    if (n == 0 && (take_rights(r, e, p) < 0 || parse_name(r, js_get_string(more, "from"), p) < 0))
        n = image_error(reader, err, "a packet for socket %u is wrong", e->id_for);
    return n < 0 ? n : 1;
}

int socket_queues_load(struct restore *r, struct error *err)
{
    r->packets = arena_new_of(r->arena, struct socket_packets);
    if (!image_exists(r->dirfd, IMAGE_SK_QUEUES, 0))
        return 0;
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    int n = image_open(r->dirfd, IMAGE_SK_QUEUES, 0, &reader, err);
    if (n < 0)
        return n;
    struct socket_packets all = {0};
    while ((n = load_one(r, reader, &all, err)) > 0)
        ;
    *r->packets = all;
    r->packets->list = arena_memdup(r->arena, all.list, all.count * sizeof(*all.list));
    free(all.list);
    return n;
}

int socket_queues_check(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < r->packets->count; i++) {
        const struct socket_packet *p = &r->packets->list[i];
        for (size_t j = 0; j < p->rights_count; j++) {
            const FileEntry *f = restore_file(r, p->rights[j]);
            if (!f || !resource_of_type(f->type))
                return error_set(err, EINVAL,
                                 "the checkpoint lacks file %u, which is in the queue of a socket",
                                 p->rights[j]);
        }
    }
    return 0;
}
