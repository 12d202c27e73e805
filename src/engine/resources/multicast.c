/* Memberships in multicast groups. No call lists those of a socket; but the kernel lists the groups
 * of the namespace, and a socket says of each whether it is a member. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "engine/resources/inet-socket.h"

struct membership {
    int fd, level;
    struct json *list;
    bool by_source; /* only from some senders */
};

static void ask(struct membership *m, unsigned index, const char *interface,
                const struct sockaddr_storage *group, const char *text)
{
    struct group_filter f = {.gf_interface = index, .gf_group = *group};
    socklen_t size = sizeof(f);
    if (getsockopt(m->fd, m->level, MCAST_MSFILTER, &f, &size) < 0)
        return;
    m->by_source = m->by_source || f.gf_numsrc > 0 || f.gf_fmode != MCAST_EXCLUDE;
    struct json *one = js_object();
    js_set(one, "interface", js_string(interface));
    js_set(one, "group", js_string(text));
    js_push(m->list, one);
}

static bool parse_group(int family, const char *hex, struct sockaddr_storage *ret)
{
    unsigned char *to = (unsigned char *)&((struct sockaddr_in6 *)ret)->sin6_addr;
    unsigned byte, address;
    *ret = (struct sockaddr_storage){.ss_family = (sa_family_t)family};
    if (family == AF_INET) { /* a word in network order, printed as a number */
        bool found = strlen(hex) == 8 && sscanf(hex, "%8x", &address) == 1;
        ((struct sockaddr_in *)ret)->sin_addr.s_addr = found ? address : 0;
        return found;
    }
    for (int i = 0; i < 16; i++) {
        if (strlen(hex) != 32 || sscanf(hex + 2 * i, "%2x", &byte) != 1)
            return false;
        to[i] = (unsigned char)byte;
    }
    return true;
}

/* Lines "2 eth0 : 1 V3", each followed by its groups, of /proc/net/igmp; /proc/net/igmp6 has all in
 * one line. */
static void ask_all(struct membership *m, int family, char *text)
{
    unsigned index = 0;
    char interface[32] = "", group[40], *rest = NULL;
    struct sockaddr_storage address;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        bool found = family == AF_INET6
                         ? sscanf(line, "%u %31s %39s", &index, interface, group) == 3
                         : line[0] == '\t' && sscanf(line, " %39s", group) == 1;
        if (found && parse_group(family, group, &address))
            ask(m, index, interface, &address, group);
        else if (!found)
            sscanf(line, "%u %31s", &index, interface);
    }
}

int multicast_dump(struct dump *d, int fd, const char *name, const InetSkEntry *e,
                   struct error *err)
{
    char path[64];
    _cleanup_buf_ struct buf text = {0};
    bool six = e->family == AF_INET6;
    struct membership m = {.fd = fd, .level = six ? SOL_IPV6 : SOL_IP, .list = js_array()};
    snprintf(path, sizeof(path), "/proc/%d/net/igmp%s", d->options.init, six ? "6" : "");
    if (file_read(path, &text, NULL) == 0 && text.data)
        ask_all(&m, (int)e->family, text.data);
    js_set(extra_of(d->extra, "sockets", e->id), "groups", m.list);
    return m.by_source ? error_set(err, ENOTSUP,
                                   "%s is in a multicast group for some senders only, which firn "
                                   "cannot save",
                                   name)
                       : 0;
}

static int join(int fd, const InetSkEntry *e, const struct json *one)
{
    struct group_req q = {0};
    const char *interface = js_get_string(one, "interface"), *group = js_get_string(one, "group");
    if (!interface || !group || !parse_group((int)e->family, group, &q.gr_group))
        return -EINVAL;
    q.gr_interface = if_nametoindex(interface);
    int level = e->family == AF_INET6 ? SOL_IPV6 : SOL_IP;
    return setsockopt(fd, level, MCAST_JOIN_GROUP, &q, sizeof(q)) < 0 ? -errno : 0;
}

int multicast_restore(struct maker *m, int fd, const InetSkEntry *e, struct error *err)
{
    const struct json *list = js_get(extra_find(m->restore->extra, "sockets", e->id), "groups");
    int back, r = 0;
    if (js_count(list) == 0)
        return 0;
    int n = socket_enter_network(m->restore->init, &back, err); /* for the names of interfaces */
    if (n < 0)
        return n;
    JSON_FOREACH(list, i)
    r = r < 0 ? r : join(fd, e, js_at(list, i));
    socket_leave_network(back);
    return r < 0 ? error_errno(err, -r,
                               "a socket of process %d cannot join its multicast groups again",
                               m->task->vpid)
                 : 0;
}
