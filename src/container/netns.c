#include "container/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/magic.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/subnet.h"

/* What is done in another namespace is done by a thread, which ends there: root of a user namespace
 * alone cannot come back to the network of the host. */
struct errand {
    const char *path; /* NULL: in a new namespace */
    int (*run)(struct errand *);
    int result;
    const char *mount_at;
    struct ifaddrs *addresses;
    int family, type, protocol;
};

static int move(const struct errand *e)
{
    if (!e->path)
        return unshare(CLONE_NEWNET) < 0 ? -errno : 0;
    _cleanup_close_ int there = open(e->path, O_RDONLY | O_CLOEXEC);
    return there < 0 || setns(there, CLONE_NEWNET) < 0 ? -errno : 0;
}

static void *go(void *context)
{
    struct errand *e = context;
    e->result = move(e);
    if (e->result == 0)
        e->result = e->run(e);
    return NULL;
}

static int run_errand(struct errand *e)
{
    pthread_t thread;
    int code = pthread_create(&thread, NULL, go, e);
    if (code)
        return -code;
    pthread_join(thread, NULL);
    return e->result;
}

/* ---- making ---- */

static int make_file(const char *path, struct error *err)
{
    _cleanup_free_ char *directory = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    int r = mkdir_parents(directory, 0700, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? error_errno(err, errno, "cannot create %s", path) : 0;
}

static int bind_here(struct errand *e)
{
    return mount("/proc/thread-self/ns/net", e->mount_at, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

int netns_make(const char *path, struct error *err)
{
    struct errand e = {.run = bind_here, .mount_at = path};
    int r = make_file(path, err);
    if (r < 0)
        return r;
    r = run_errand(&e);
    if (r == 0)
        return 0;
    netns_remove(path, NULL);
    return error_errno(err, -r, "cannot make a network namespace at %s", path);
}

int netns_remove(const char *path, struct error *err)
{
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ;
    if (errno != EINVAL && errno != ENOENT)
        return error_errno(err, errno, "cannot unmount %s", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(err, errno, "cannot remove %s", path);
    return 0;
}

/* ---- looking ---- */

bool netns_exists(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

static int list_addresses(struct errand *e)
{
    return getifaddrs(&e->addresses) < 0 ? -errno : 0;
}

static void add_address(struct json *list, const struct ifaddrs *a)
{
    const struct sockaddr_in *in = (const void *)a->ifa_addr;
    const struct sockaddr_in *mask = (const void *)a->ifa_netmask;
    if (!in || !mask || in->sin_family != AF_INET || a->ifa_flags & IFF_LOOPBACK)
        return;
    char text[IPV4_TEXT];
    ipv4_format(ntohl(in->sin_addr.s_addr), text);
    struct json *o = js_object();
    js_set(o, "interface", js_string(a->ifa_name));
    js_set(o, "address", js_string(text));
    js_set(o, "bits", js_int(__builtin_popcount(mask->sin_addr.s_addr)));
    js_push(list, o);
}

int netns_addresses(const char *path, struct json **ret, struct error *err)
{
    struct errand e = {.path = path, .run = list_addresses};
    int r = run_errand(&e);
    if (r < 0)
        return error_errno(err, -r, "cannot look at the network of %s", path);
    *ret = js_array();
    for (const struct ifaddrs *a = e.addresses; a; a = a->ifa_next)
        add_address(*ret, a);
    freeifaddrs(e.addresses);
    return 0;
}

static int make_socket(struct errand *e)
{
    int fd = socket(e->family, e->type | SOCK_CLOEXEC, e->protocol);
    return fd < 0 ? -errno : fd;
}

int netns_socket(const char *path, int family, int type, int protocol)
{
    struct errand e = {
        .path = path, .run = make_socket, .family = family, .type = type, .protocol = protocol};
    return run_errand(&e);
}
