/* netlink(7) sockets at rest: protocol, address, groups, options. What the kernel says to one
 * cannot be said again, so one with messages in it, or in the middle of an answer, is refused. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/resources/socket.h"

#define GROUPS_MAX 64u /* words of 32 */

/* `plain`: anybody may listen to its groups. */
static const struct {
    int protocol;
    bool plain;
    const char *state; /* what the kernel keeps for a socket of it, so that it is refused */
} protocols[] = {
    {NETLINK_ROUTE, .plain = true},
    {NETLINK_KOBJECT_UEVENT, .plain = true},
    {NETLINK_GENERIC, .plain = false},
    {NETLINK_SOCK_DIAG, .plain = false},
    {NETLINK_XFRM, .plain = false},
    {NETLINK_FIB_LOOKUP, .plain = false},
    {NETLINK_CRYPTO, .plain = false},
    {NETLINK_AUDIT, .state = "the kernel's audit"},
    {NETLINK_NETFILTER, .state = "the packet filter"},
};

static const int switches[] = {NETLINK_PKTINFO,         NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS,
                               NETLINK_LISTEN_ALL_NSID, NETLINK_CAP_ACK,         NETLINK_EXT_ACK,
                               NETLINK_GET_STRICT_CHK};

static bool match(const struct descriptor *f)
{
    return socket_family(f) == AF_NETLINK;
}

/* ---- dump ---- */

static int refuse(struct dump *d, const struct descriptor *f, const char *what, struct error *err)
{
    return error_set(err, ENOTSUP, "%s is a netlink socket %s", descriptor_name(d, f), what);
}

/* "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode" */
static bool is_at_rest(struct dump *d, const struct descriptor *f, bool *ret_known)
{
    char path[64];
    _cleanup_buf_ struct buf text = {0};
    char *state = NULL;
    bool rest = true;
    snprintf(path, sizeof(path), "/proc/%d/net/netlink", f->task->pid);
    *ret_known = false;
    if (file_read(path, &text, NULL) < 0 || !text.data)
        return false;
    for (char *line = strtok_r(text.data, "\n", &state); line;
         line = strtok_r(NULL, "\n", &state)) {
        unsigned long received, dumping, inode;
        if (sscanf(line, "%*s %*s %*s %*s %lu %*s %lu %*s %*s %lu", &received, &dumping, &inode) ==
                3 &&
            inode == f->st.st_ino) {
            *ret_known = true;
            rest = !received && !dumping;
        }
    }
    return rest;
}

/* One without a number is in no list, and never heard anything. */
static int judge(struct dump *d, const struct descriptor *f, uint32_t portid, int protocol,
                 struct error *err)
{
    bool listed, rest = is_at_rest(d, f, &listed);
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        if (protocols[i].protocol != protocol)
            continue;
        if (protocols[i].state)
            return error_set(err, ENOTSUP,
                             "%s is a netlink socket of %s, which firn cannot save: what was set "
                             "up through it ends with it",
                             descriptor_name(d, f), protocols[i].state);
        if (!portid)
            return 0;
        if (!listed)
            return refuse(d, f, "of another network namespace, which firn cannot save", err);
        if (!rest) {
            d->passing++;
            return refuse(d, f,
                          "with messages of the kernel that are not read yet, which firn cannot "
                          "save: try again",
                          err);
        }
        return 0;
    }
    return error_set(err, ENOTSUP, "%s is a netlink socket of protocol %d, which firn cannot save",
                     descriptor_name(d, f), protocol);
}

static void dump_groups(struct dump *d, int fd, NetlinkSkEntry *e)
{
    uint32_t groups[GROUPS_MAX] = {0};
    socklen_t size = sizeof(groups);
    if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &size) < 0)
        return;
    e->n_groups = size / sizeof(*groups) < GROUPS_MAX ? size / sizeof(*groups) : GROUPS_MAX;
    e->groups = arena_memdup(d->arena, groups, e->n_groups * sizeof(*groups));
}

static void dump_switches(struct dump *d, int fd, uint32_t id)
{
    struct json *on = js_array();
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (socket_int(fd, SOL_NETLINK, switches[i], 0))
            js_push(on, js_int(switches[i]));
    js_set(extra_of(d->extra, "sockets", id), "netlink", on);
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    const char *name = descriptor_name(d, f);
    _cleanup_close_ int fd = descriptor_borrow(f);
    struct sockaddr_nl own = {0}, peer = {0};
    socklen_t size = sizeof(own), peer_size = sizeof(peer);
    struct socket_options o;
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&own, &size) < 0 ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0)
        return error_errno(err, fd < 0 ? -fd : errno, "cannot look at %s", name);
    int protocol = socket_int(fd, SOL_SOCKET, SO_PROTOCOL, -1);
    int r = judge(d, f, own.nl_pid, protocol, err);
    if (r == 0)
        r = socket_options_dump(d, fd, name, entry->id, &o, err);
    if (r < 0)
        return r;
    NetlinkSkEntry *e = arena_new_of(d->arena, NetlinkSkEntry);
    netlink_sk_entry__init(e);
    e->id = entry->id;
    e->ino = (uint32_t)f->st.st_ino;
    e->protocol = (uint32_t)protocol;
    e->flags = f->flags;
    e->portid = own.nl_pid;
    e->dst_portid = peer.nl_pid;
    e->dst_group = peer.nl_groups;
    e->fown = descriptor_owner(d, f);
    e->opts = o.opts;
    dump_groups(d, fd, e);
    dump_switches(d, fd, entry->id);
    js_set(extra_of(d->extra, "sockets", entry->id), "type",
           js_int(socket_int(fd, SOL_SOCKET, SO_TYPE, SOCK_RAW)));
    entry->type = FD_TYPES__NETLINKSK;
    entry->nlsk = e;
    return 0;
}

/* ---- restore ---- */

static bool is_on(const struct json *on, int what)
{
    JSON_FOREACH(on, i)
    {
        if (js_int_value(js_at(on, i)) == what)
            return true;
    }
    return false;
}

static bool listens(const NetlinkSkEntry *e)
{
    for (size_t i = 0; i < e->n_groups; i++)
        if (e->groups[i])
            return true;
    return false;
}

static int check(struct restore *r, const FileEntry *entry, struct error *err)
{
    const NetlinkSkEntry *e = entry->nlsk;
    const struct json *extra = e ? extra_find(r->extra, "sockets", entry->id) : NULL;
    int64_t type = js_get_int(extra, "type", SOCK_RAW);
    for (size_t i = 0; e && i < ARRAY_LEN(protocols); i++) {
        if ((uint32_t)protocols[i].protocol != e->protocol || protocols[i].state ||
            e->n_groups > GROUPS_MAX || (type != SOCK_RAW && type != SOCK_DGRAM))
            continue;
        bool special = (listens(e) && !protocols[i].plain) ||
                       is_on(js_get(extra, "netlink"), NETLINK_LISTEN_ALL_NSID);
        if (special && !socket_may(r, CAP_NET_ADMIN))
            return error_set(err, EPERM,
                             "the checkpoint has a netlink socket that needs CAP_NET_ADMIN, and "
                             "container %s was created without it",
                             r->options.name);
        return 0;
    }
    return error_set(err, EINVAL, "the checkpoint's netlink socket %u is not one that can be",
                     entry->id);
}

static int join_groups(int copy, const NetlinkSkEntry *e)
{
    for (uint32_t i = 0; i < e->n_groups * 32; i++) {
        uint32_t group = i + 1;
        if (e->groups[i / 32] & 1u << i % 32 &&
            setsockopt(copy, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
            return -errno;
    }
    return 0;
}

static int set_switches(int copy, const struct json *on)
{
    int yes = 1;
    for (size_t i = 0; i < ARRAY_LEN(switches); i++)
        if (is_on(on, switches[i]) &&
            setsockopt(copy, SOL_NETLINK, switches[i], &yes, sizeof(yes)) < 0)
            return -errno;
    return 0;
}

static int set_up(struct maker *m, int copy, const NetlinkSkEntry *e, struct error *err)
{
    const struct json *extra = extra_find(m->restore->extra, "sockets", e->id);
    struct socket_options o = {.opts = e->opts, .extra = js_get(extra, "options")};
    struct sockaddr_nl own = {.nl_family = AF_NETLINK, .nl_pid = e->portid};
    struct sockaddr_nl peer = {
        .nl_family = AF_NETLINK, .nl_pid = e->dst_portid, .nl_groups = e->dst_group};
    int n = socket_options_restore(m, copy, &o, err);
    if (n < 0)
        return n;
    if (e->portid && bind(copy, (struct sockaddr *)&own, sizeof(own)) < 0)
        return error_errno(err, errno,
                           "process %d cannot have its netlink socket's number %u again",
                           m->task->vpid, e->portid);
    if ((e->dst_portid || e->dst_group) &&
        connect(copy, (struct sockaddr *)&peer, sizeof(peer)) < 0)
        n = -errno;
    if (n == 0)
        n = set_switches(copy, js_get(extra, "netlink"));
    if (n == 0)
        n = join_groups(copy, e);
    if (n < 0)
        return error_errno(err, -n, "a netlink socket of process %d cannot be as it was",
                           m->task->vpid);
    return socket_options_restore_late(m, copy, &o, err);
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const NetlinkSkEntry *e = entry->nlsk;
    const struct json *extra = extra_find(m->restore->extra, "sockets", e->id);
    struct socket_kind kind = {AF_NETLINK, (int)js_get_int(extra, "type", SOCK_RAW),
                               (int)e->protocol};
    _cleanup_close_ int copy = -1;
    int fd = socket_make(m, kind, e->flags, &copy, err);
    int n = fd < 0 ? fd : set_up(m, copy, e, err);
    return n < 0 ? n : fd;
}

const struct resource resource_netlink_socket = {.name = "netlink socket",
                                                 .type = FD_TYPES__NETLINKSK,
                                                 .match = match,
                                                 .dump = dump,
                                                 .restore = restore,
                                                 .check = check};
