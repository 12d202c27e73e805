#include "container/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/arp.h"

#define DIRECTORY "/run/firn/leases"
#define LOCK      "/run/firn/networks.lock"
#define LAST      "last" /* the one given last: an address rests for as long as there are others */

int lease_lock(struct error *err)
{
    int r = mkdir_parents(DIRECTORY, 0700, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return error_errno(err, errno, "cannot lock " LOCK);
    return take_fd(fd);
}

static char *directory_of(const struct subnet *s)
{
    char text[IPV4_TEXT];
    ipv4_format(s->address, text);
    return xasprintf("%s/%s_%u", DIRECTORY, text, s->bits);
}

static char *path_of(const struct subnet *s, uint32_t address)
{
    char text[IPV4_TEXT];
    ipv4_format(address, text);
    _cleanup_free_ char *directory = directory_of(s);
    return path_join(directory, text);
}

/* The namespace that has the address, NULL: it is free. The caller frees. */
static char *owner_of(const struct subnet *s, uint32_t address)
{
    _cleanup_free_ char *path = path_of(s, address);
    _cleanup_buf_ struct buf owner = {0};
    if (file_read(path, &owner, NULL) < 0 || !owner.data || !path_exists(owner.data))
        return NULL;
    return xstrdup(owner.data);
}

static uint32_t read_last(const struct lease_request *q)
{
    char text[IPV4_TEXT];
    uint32_t last;
    _cleanup_free_ char *directory = directory_of(&q->subnet);
    _cleanup_free_ char *path = path_join(directory, LAST);
    if (file_read_line(path, text, sizeof(text)) < 0 || ipv4_parse(text, &last) < 0)
        return 0;
    return last;
}

static int choose(const struct lease_request *q, uint32_t *ret, struct error *err)
{
    uint32_t first = q->first ? q->first : q->subnet.address + 1;
    uint32_t last = q->last ? q->last : subnet_last(&q->subnet) - 1;
    uint32_t at = read_last(q);
    uint64_t count = (uint64_t)last - first + 1;
    for (uint64_t i = 0; i < count; i++) {
        at = at < first || at >= last ? first : at + 1;
        _cleanup_free_ char *owner = at == q->gateway ? NULL : owner_of(&q->subnet, at);
        if (at == q->gateway || owner || arp_is_taken(q->bridge, at))
            continue;
        *ret = at;
        return 0;
    }
    _cleanup_free_ char *subnet = subnet_format(&q->subnet);
    return error_set(err, EADDRNOTAVAIL, "failed to find free IP in range: all of %s are in use",
                     subnet);
}

static int check_wanted(const struct lease_request *q, struct error *err)
{
    char text[IPV4_TEXT];
    ipv4_format(q->wanted, text);
    _cleanup_free_ char *subnet = subnet_format(&q->subnet);
    if (!subnet_has(&q->subnet, q->wanted))
        return error_kind_set(err, ERROR_USAGE, "requested ip address %s not in subnet %s", text,
                              subnet);
    _cleanup_free_ char *owner = owner_of(&q->subnet, q->wanted);
    if (!owner && q->wanted != q->gateway && arp_is_taken(q->bridge, q->wanted))
        owner = xasprintf("somebody else on %s", q->bridge);
    if (!owner && q->wanted != q->gateway)
        return 0;
    return error_kind_set(err, ERROR_CONFLICT,
                          "requested ip address %s is already allocated%s%s: choose another, or "
                          "restore with --ignore-static-ip",
                          text, owner ? " to " : " to the bridge", owner ? owner : "");
}

int lease_take(const struct lease_request *q, uint32_t *ret, struct error *err)
{
    uint32_t address = q->wanted;
    _cleanup_free_ char *directory = directory_of(&q->subnet);
    int r = mkdir_parents(directory, 0700, err);
    if (r == 0)
        r = q->wanted ? check_wanted(q, err) : choose(q, &address, err);
    if (r < 0)
        return r;
    char text[IPV4_TEXT];
    ipv4_format(address, text);
    _cleanup_free_ char *path = path_of(&q->subnet, address);
    _cleanup_free_ char *last = path_join(directory, LAST);
    r = file_write_atomic(path, q->owner, strlen(q->owner), 0600, false, err);
    if (r == 0 && !q->wanted)
        r = file_write_atomic(last, text, strlen(text), 0600, false, err);
    if (r == 0)
        *ret = address;
    return r;
}

void lease_drop(const struct subnet *s, uint32_t address, const char *owner)
{
    _cleanup_free_ char *path = path_of(s, address);
    _cleanup_buf_ struct buf now = {0};
    if (file_read(path, &now, NULL) == 0 && string_equal(now.data, owner))
        unlink(path);
}
