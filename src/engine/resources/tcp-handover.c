#include "engine/resources/tcp-handover.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"

#define KIND      "connections" /* in the extra document */
#define ID_DIGITS 16
#define BATCH     200 /* of descriptors in one message; SCM_MAX_FD is 253 */

static socklen_t address(const char *id, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "firn-tcp-%.*s", ID_DIGITS, id);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

/* Only the same user may ask, and only he may answer. */
static bool is_ours(int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

union rights {
    struct cmsghdr head;
    char data[CMSG_SPACE(sizeof(int) * BATCH)];
};

/* ---- who keeps them ---- */

int tcp_handover_listen(struct dump *d)
{
    uint64_t number;
    char id[ID_DIGITS + 1];
    struct sockaddr_un at;
    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return -EIO;
    snprintf(id, sizeof(id), "%016llx", (unsigned long long)number);
    socklen_t size = address(id, &at);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 4) < 0)
        return -errno;
    js_set(extra_of(d->extra, KIND, 0), "id", js_string(id));
    return take_fd(fd);
}

static int hand_over(int to, const struct tcp_held *list, size_t count)
{
    union rights rights = {0};
    char byte = 0;
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &rights,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    rights.head.cmsg_level = SOL_SOCKET;
    rights.head.cmsg_type = SCM_RIGHTS;
    rights.head.cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(&rights.head) + i * sizeof(int), &list[i].fd, sizeof(int));
    return sendmsg(to, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void tcp_handover_serve(const struct dump *d, int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    while (poll(&p, 1, TCP_HANDOVER_SECONDS * 1000) == 1) {
        _cleanup_close_ int to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (to < 0 || !is_ours(to))
            continue;
        for (size_t i = 0; i < d->connection_count; i += BATCH) {
            size_t left = d->connection_count - i;
            if (hand_over(to, &d->connections[i], left < BATCH ? left : BATCH) < 0)
                break;
        }
        return;
    }
}

/* ---- who wants them ---- */

static int find_keeper(const struct json *extra)
{
    const char *id = js_get_string(extra_find(extra, KIND, 0), "id");
    struct sockaddr_un at;
    if (!id || strlen(id) != ID_DIGITS || strspn(id, "0123456789abcdef") != ID_DIGITS)
        return -ENOENT;
    socklen_t size = address(id, &at);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, size) < 0)
        return -errno;
    return is_ours(fd) ? take_fd(fd) : -EPERM;
}

/* The next old sockets; 0: there are no more. */
static size_t receive(int from, int fds[BATCH])
{
    union rights rights;
    char byte;
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)};
    if (recvmsg(from, &m, MSG_CMSG_CLOEXEC) <= 0)
        return 0;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), count * sizeof(int));
    return count;
}

void tcp_handover_fetch(struct restore *r)
{
    _cleanup_close_ int from = find_keeper(r->extra);
    int fds[BATCH];
    for (size_t n; from >= 0 && (n = receive(from, fds)) > 0;)
        for (size_t i = 0; i < n; i++) {
            array_reserve(r->old_sockets, r->old_socket_count, r->old_socket_room);
            r->old_sockets[r->old_socket_count++] = fds[i];
        }
}

/* The port and the address: what stands before the flow label or the padding. */
static bool same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;
    if (a->ss_family != b->ss_family || a4->sin_port != b4->sin_port)
        return false;
    return a->ss_family == AF_INET
               ? a4->sin_addr.s_addr == b4->sin_addr.s_addr
               : memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

void tcp_handover_replace(struct restore *r, const InetSkEntry *e)
{
    struct sockaddr_storage source, peer, its = {0}, other = {0};
    inet_source(r, e, &source);
    inet_destination(r, e, &peer);
    for (size_t i = 0; i < r->old_socket_count; i++) {
        socklen_t size = sizeof(its), other_size = sizeof(other);
        int fd = r->old_sockets[i];
        if (fd < 0 || getsockname(fd, (struct sockaddr *)&its, &size) < 0 ||
            getpeername(fd, (struct sockaddr *)&other, &other_size) < 0 || !same(&its, &source) ||
            !same(&other, &peer))
            continue;
        struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        connect(fd, &nobody, sizeof(nobody)); /* at once, whoever else has a copy */
        close(fd);
        r->old_sockets[i] = -1;
    }
}

int connections_forget(int images_dirfd)
{
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_ struct json *extra = NULL;
    int fds[BATCH];
    if (file_read_at(images_dirfd, EXTRA_FILE, 0, &text, NULL) < 0 ||
        js_parse(text.data, text.size, EXTRA_FILE, &extra, NULL) < 0)
        return 0;
    _cleanup_close_ int from = find_keeper(extra);
    for (size_t n; from >= 0 && (n = receive(from, fds)) > 0;)
        for (size_t i = 0; i < n; i++)
            close(fds[i]);
    return 0;
}
