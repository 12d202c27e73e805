/* netlink(7) sockets at rest: numbers, groups, options, a connected one, and that they still
 * answer. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "guest.h"

static int asking, listening, uevents, unbound, datagrams;
static uint32_t number_of_listening;

static struct sockaddr_nl name_of(int fd)
{
    struct sockaddr_nl at = {0};
    socklen_t size = sizeof(at);
    guest_check(getsockname(fd, (struct sockaddr *)&at, &size) == 0, "a socket has no name");
    return at;
}

static int option(int fd, int level, int which)
{
    int value = -1;
    socklen_t size = sizeof(value);
    getsockopt(fd, level, which, &value, &size);
    return value;
}

static bool is_member(int fd, uint32_t group)
{
    uint32_t groups[8] = {0};
    socklen_t size = sizeof(groups);
    getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size);
    return groups[(group - 1) / 32] >> (group - 1) % 32 & 1;
}

/* Which interfaces are there? Answered in pieces, up to a NLMSG_DONE. */
static void verify_question(void)
{
    static char answer[65536];
    struct {
        struct nlmsghdr head;
        struct ifinfomsg body;
    } q = {.head = {sizeof(q), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}};
    guest_check(send(asking, &q, sizeof(q), 0) == sizeof(q), "send: %s", strerror(errno));
    for (;;) {
        ssize_t n = recv(asking, answer, sizeof(answer), 0);
        const struct nlmsghdr *h = (const void *)answer;
        guest_check(n > 0 && h->nlmsg_seq == 7 && h->nlmsg_pid == name_of(asking).nl_pid,
                    "the answer is for %u", h->nlmsg_pid);
        if (n <= 0 || h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
            return;
    }
}

static void verify(void)
{
    struct sockaddr_nl peer = {0};
    socklen_t size = sizeof(peer);
    guest_check(name_of(asking).nl_pid == 4711, "the number is %u", name_of(asking).nl_pid);
    guest_check(getpeername(asking, (struct sockaddr *)&peer, &size) == 0 && peer.nl_pid == 0 &&
                    peer.nl_groups == 0,
                "it is connected to another");
    guest_check(option(asking, SOL_NETLINK, NETLINK_EXT_ACK) == 1 &&
                    option(asking, SOL_NETLINK, NETLINK_CAP_ACK) == 0 &&
                    option(asking, SOL_NETLINK, NETLINK_GET_STRICT_CHK) == 1,
                "options are lost");
    guest_check(name_of(listening).nl_pid == number_of_listening, "the number changed");
    guest_check(is_member(listening, RTNLGRP_LINK) && is_member(listening, RTNLGRP_NSID) &&
                    is_member(listening, RTNLGRP_IPV6_ROUTE) &&
                    !is_member(listening, RTNLGRP_IPV4_RULE),
                "the groups changed");
    guest_check(fcntl(listening, F_GETFL) & O_NONBLOCK, "it waits");
    guest_check(option(uevents, SOL_SOCKET, SO_PROTOCOL) == NETLINK_KOBJECT_UEVENT &&
                    is_member(uevents, 1),
                "events are not heard");
    guest_check(option(uevents, SOL_SOCKET, SO_RCVBUF) == 100000, "the buffer has %d bytes",
                option(uevents, SOL_SOCKET, SO_RCVBUF));
    guest_check(name_of(unbound).nl_pid == 0, "a socket got a number");
    guest_check(option(datagrams, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM, "the type changed");
    verify_question();
}

static int make(int type, int protocol, uint32_t number, uint32_t groups)
{
    int fd = socket(AF_NETLINK, type, protocol);
    struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_pid = number, .nl_groups = groups};
    guest_need(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "a socket");
    return fd;
}

int main(void)
{
    int yes = 1, size = 50000, nsid = RTNLGRP_NSID;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    asking = make(SOCK_RAW, NETLINK_ROUTE, 4711, 0);
    guest_need(connect(asking, (struct sockaddr *)&kernel, sizeof(kernel)) == 0 &&
                   setsockopt(asking, SOL_NETLINK, NETLINK_EXT_ACK, &yes, sizeof(yes)) == 0 &&
                   setsockopt(asking, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &yes, sizeof(yes)) == 0,
               "a connected socket");
    listening = make(SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE, 0, RTMGRP_LINK | RTMGRP_IPV6_ROUTE);
    guest_need(setsockopt(listening, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &nsid, sizeof(nsid)) == 0,
               "a group");
    number_of_listening = name_of(listening).nl_pid;
    uevents = make(SOCK_RAW, NETLINK_KOBJECT_UEVENT, 0, 1);
    guest_need(setsockopt(uevents, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) == 0, "a buffer");
    unbound = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    datagrams = make(SOCK_DGRAM, NETLINK_GENERIC, 0, 0);
    guest_serve(verify);
}
