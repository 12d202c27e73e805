#include "engine/resources/tcp-lingering.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/resources/socket.h"

/* include/uapi/linux/sock_diag.h (4.5) */
#ifndef SOCK_DESTROY
#define SOCK_DESTROY 21
#endif

#define ANSWER_SIZE (64u * 1024)

struct request {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

static struct request new_request(uint16_t type, uint16_t flags, uint8_t family)
{
    return (struct request){
        .head = {sizeof(struct request), type, (uint16_t)(NLM_F_REQUEST | flags), 1, 0},
        .body = {.sdiag_family = family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = 1u << TCP_STATE_TIME_WAIT},
    };
}

struct found {
    struct inet_diag_msg *list;
    size_t count, room;
};

static void found_clear(struct found *f)
{
    free(f->list);
}

/* 1: there is more to come. */
static int take(struct found *f, const char *answer, size_t left, uint16_t port)
{
    const struct nlmsghdr *h = (const void *)answer;
    for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
        if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
            return 0;
        const struct inet_diag_msg *m = NLMSG_DATA(h);
        if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->id.idiag_sport != port)
            continue;
        array_reserve(f->list, f->count, f->room);
        f->list[f->count++] = *m;
    }
    return 1;
}

static int find(int fd, uint8_t family, uint16_t port, struct found *f)
{
    struct request q = new_request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family);
    _cleanup_free_ char *answer = xmalloc(ANSWER_SIZE);
    if (send(fd, &q, sizeof(q), 0) < 0)
        return -errno;
    for (int more = 1; more;) {
        ssize_t n = recv(fd, answer, ANSWER_SIZE, 0);
        if (n < 0)
            return -errno;
        more = take(f, answer, (size_t)n, port);
    }
    return 0;
}

static int end_one(int fd, const struct inet_diag_msg *m)
{
    struct request q = new_request(SOCK_DESTROY, NLM_F_ACK, m->idiag_family);
    struct {
        struct nlmsghdr head;
        struct nlmsgerr body;
        struct request echo;
    } answer = {0};
    q.body.id = m->id;
    if (send(fd, &q, sizeof(q), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
        return -errno;
    return answer.head.nlmsg_type == NLMSG_ERROR ? answer.body.error : 0;
}

/* An IPv6 socket may have had connections of both families. */
static int end_all(const InetSkEntry *e)
{
    _cleanup_(found_clear) struct found f = {0};
    _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int ended = 0;
    int r = fd < 0 ? -errno : find(fd, AF_INET, htons((uint16_t)e->src_port), &f);
    if (r == 0)
        r = find(fd, AF_INET6, htons((uint16_t)e->src_port), &f);
    for (size_t i = 0; r == 0 && i < f.count; i++)
        ended += end_one(fd, &f.list[i]) == 0;
    return r < 0 ? r : ended;
}

int tcp_lingering_end(const struct restore *r, const InetSkEntry *e)
{
    struct error unused = {0};
    int back, n = socket_enter_network(r->init, &back, &unused);
    if (n < 0)
        return n;
    n = end_all(e);
    socket_leave_network(back);
    return n;
}
