#include "engine/resources/unix-diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "engine/resources/socket.h"

static void take_attribute(struct dump *d, struct unix_diag *u, const struct rtattr *a)
{
    size_t size = RTA_PAYLOAD(a);
    const void *data = RTA_DATA(a);
    if (a->rta_type == UNIX_DIAG_PEER && size >= sizeof(u->peer)) {
        u->has_peer = true;
        memcpy(&u->peer, data, sizeof(u->peer));
    } else if (a->rta_type == UNIX_DIAG_SHUTDOWN && size >= 1) {
        memcpy(&u->shutdown, data, 1);
    } else if (a->rta_type == UNIX_DIAG_RQLEN && size >= sizeof(struct unix_diag_rqlen)) {
        struct unix_diag_rqlen length;
        memcpy(&length, data, sizeof(length));
        u->queue = length.udiag_rqueue;
        u->backlog = length.udiag_wqueue;
    } else if (a->rta_type == UNIX_DIAG_ICONS) {
        u->waiting_count = size / sizeof(uint32_t);
        u->waiting = arena_memdup(d->arena, data, u->waiting_count * sizeof(uint32_t));
    }
}

static void take_socket(struct dump *d, struct unix_diag_table *t, const struct nlmsghdr *h)
{
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
        return;
    const struct unix_diag_msg *m = NLMSG_DATA(h);
    array_reserve(t->sockets, t->count, t->room);
    struct unix_diag *u = &t->sockets[t->count++];
    *u = (struct unix_diag){.ino = m->udiag_ino, .type = m->udiag_type, .state = m->udiag_state};
    size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
    const struct rtattr *a = (const void *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        take_attribute(d, u, a);
}

/* 1: there is more; 0: that was all. */
static int take_answer(struct dump *d, struct unix_diag_table *t, const void *data, size_t left)
{
    for (const struct nlmsghdr *h = data; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
        if (h->nlmsg_type == NLMSG_DONE)
            return 0;
        if (h->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *e = NLMSG_DATA(h);
            return e->error < 0 ? e->error : -EIO;
        }
        take_socket(d, t, h);
    }
    return 1;
}

static int ask(int fd)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = ~0u,
                 .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN},
    };
    return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = ((const struct unix_diag *)a)->ino, y = ((const struct unix_diag *)b)->ino;
    return x < y ? -1 : x > y;
}

static int load(struct dump *d, struct unix_diag_table *t)
{
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    _cleanup_free_ char *buffer = xmalloc(256 * 1024);
    int r = fd < 0 ? -errno : ask(fd);
    for (int more = 1; r == 0 && more > 0;) {
        ssize_t n = recv(fd, buffer, 256 * 1024, 0);
        more = n < 0 ? -errno : take_answer(d, t, buffer, (size_t)n);
        r = more < 0 ? more : 0;
    }
    struct unix_diag *all = t->sockets;
    t->sockets = arena_memdup(d->arena, all, t->count * sizeof(*all));
    free(all);
    if (t->count)
        qsort(t->sockets, t->count, sizeof(*t->sockets), compare);
    return r;
}

static int load_once(struct dump *d, struct error *err)
{
    if (d->unix_sockets)
        return 0;
    int back;
    int r = socket_enter_network(d->options.init, &back, err);
    if (r < 0)
        return r;
    struct unix_diag_table *t = arena_new_of(d->arena, struct unix_diag_table);
    r = load(d, t);
    socket_leave_network(back);
    if (r < 0)
        return error_errno(err, -r, "cannot list the unix sockets of container %s",
                           d->options.name);
    d->unix_sockets = t;
    return 0;
}

int unix_diag_find(struct dump *d, uint32_t ino, const struct unix_diag **ret, struct error *err)
{
    struct unix_diag key = {.ino = ino};
    int r = load_once(d, err);
    if (r < 0)
        return r;
    const struct unix_diag_table *t = d->unix_sockets;
    *ret = t->count ? bsearch(&key, t->sockets, t->count, sizeof(key), compare) : NULL;
    return 0;
}

const struct unix_diag *unix_diag_waits_at(const struct dump *d, uint32_t ino)
{
    const struct unix_diag_table *t = d->unix_sockets;
    for (size_t i = 0; i < t->count; i++)
        for (size_t j = 0; j < t->sockets[i].waiting_count; j++)
            if (t->sockets[i].waiting[j] == ino)
                return &t->sockets[i];
    return NULL;
}

/* ---- one socket ---- */

static int ask_one(int fd, uint32_t ino)
{
    struct {
        struct nlmsghdr head;
        struct unix_diag_req body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = ~0u,
                 .udiag_ino = ino,
                 .udiag_show = UDIAG_SHOW_VFS,
                 .udiag_cookie = {~0u, ~0u}},
    };
    return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

static int take_file(const struct nlmsghdr *h, struct unix_diag_vfs *ret)
{
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
        return -ENOENT;
    const struct unix_diag_msg *m = NLMSG_DATA(h);
    size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
    const struct rtattr *a = (const void *)((const char *)m + NLMSG_ALIGN(sizeof(*m)));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof(*ret)) {
            memcpy(ret, RTA_DATA(a), sizeof(*ret));
            return 0;
        }
    return -ENOENT;
}

/* In the network namespace we are in. */
static int bound(uint32_t ino, struct unix_diag_vfs *ret)
{
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    char buffer[4096];
    int r = fd < 0 ? -errno : ask_one(fd, ino);
    ssize_t n = r < 0 ? r : recv(fd, buffer, sizeof(buffer), 0);
    const struct nlmsghdr *h = (const void *)buffer;
    if (n < 0)
        return r < 0 ? r : -errno;
    return NLMSG_OK(h, (size_t)n) && h->nlmsg_type == SOCK_DIAG_BY_FAMILY ? take_file(h, ret)
                                                                          : -ENOENT;
}

int unix_diag_bound(const struct dump *d, uint32_t ino, uint32_t *ret_dev, uint64_t *ret_ino)
{
    struct unix_diag_vfs file = {0};
    struct error unused = {0};
    int back = -1;
    int r = socket_enter_network(d->options.init, &back, &unused);
    if (r == 0) {
        r = bound(ino, &file);
        socket_leave_network(back);
    }
    if (r < 0)
        r = bound(ino, &file);
    if (r < 0)
        return r;
    *ret_dev = file.udiag_vfs_dev;
    *ret_ino = file.udiag_vfs_ino;
    return 0;
}
