#include "cli/check-user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "base/userns.h"
#include "cli/probe.h"
#include "container/cgroup.h"
#include "container/delegation.h"
#include "container/firn.h"
#include "container/holder.h"
#include "store/overlay.h"

static void add_command(struct buf *all, const char *command)
{
    if (all->size)
        buf_add_string(all, " && ");
    buf_add_string(all, command);
}

static void check_ids(struct json *rows, struct buf *command)
{
    bool many = userns_has_many_ids();
    check_add(rows, "user namespace", true, CHECK_NEEDED, "");
    check_add(rows, "subordinate ids", many, CHECK_WANTED,
              many ? "" : "containers have one user only, and no file of another");
    if (many)
        return;
    _cleanup_free_ char *advice = holder_advice(userns_owner());
    add_command(command, advice);
}

static void check_faults(struct json *rows, struct buf *command)
{
    bool works = probe_kernel_faults() == 0;
    check_add(rows, "userfaultfd of the kernel", works, CHECK_WANTED,
              works ? "" : "memory cannot be restored lazily");
    if (!works)
        add_command(command, "sysctl -w vm.unprivileged_userfaultfd=1");
}

/* "1 0" lets nobody. */
static void check_ping(struct json *rows, struct buf *command)
{
    char line[64];
    unsigned from = 1, to = 0;
    if (file_read_line("/proc/sys/net/ipv4/ping_group_range", line, sizeof(line)) == 0)
        sscanf(line, "%u %u", &from, &to);
    check_add(rows, "ping", from <= to, CHECK_WANTED,
              from <= to ? "" : "no ping in containers with the host's network");
    if (from > to)
        add_command(command, "sysctl -w 'net.ipv4.ping_group_range=0 2147483647'");
}

static void check_network(struct json *rows, struct buf *command)
{
    _cleanup_free_ char *pasta = find_program("pasta"), *slirp = find_program("slirp4netns");
    const char *helper = pasta ? pasta : slirp;
    _cleanup_close_ int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    bool missing = tun < 0 && (errno == ENOENT || errno == ENODEV);
    check_add(rows, "private network", helper, CHECK_WANTED,
              helper ? helper : "no private networks and no published ports");
    check_add(rows, "/dev/net/tun", tun >= 0, CHECK_WANTED,
              tun >= 0 ? "" : "no private networks and no published ports");
    if (!helper)
        add_command(command, "apt-get install passt");
    if (tun < 0)
        add_command(command, missing ? "modprobe tun && chmod 0666 /dev/net/tun"
                                     : "chmod 0666 /dev/net/tun");
}

static void check_cgroups(struct json *rows)
{
    _cleanup_delegation_ struct delegation d = {0};
    bool here = delegation_here(&d);
    _cleanup_free_ char *list = strv_join(d.controllers, " ");
    _cleanup_free_ char *where =
        here ? xasprintf("%s with controllers: %s", d.path, list && *list ? list : "none") : NULL;
    check_add(rows, "cgroups", here, CHECK_WANTED,
              here ? where
              : cgroup_mode() == CGROUP_V2
                  ? "none delegated to this login: no limits, no pause; what `systemd-run --user "
                    "--scope -p Delegate=yes COMMAND` starts has them"
                  : "none for an ordinary user where cgroups v1 are used: no limits, no pause");
}

static void check_storage(struct firn *firn, struct json *rows, struct buf *command)
{
    struct error why = {0};
    _cleanup_free_ char *fuse = find_program("fuse-overlayfs");
    _cleanup_close_ int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    int r = overlay_probe(firn->store, &why);
    check_add(rows, "overlay mounts", r >= 0, CHECK_WANTED, r >= 0 ? "" : why.text);
    if (r >= 0)
        return;
    check_add(rows, "fuse-overlayfs", fuse && device >= 0, CHECK_NEEDED,
              fuse && device >= 0 ? fuse : "containers have no file system");
    if (!fuse)
        add_command(command, "apt-get install fuse-overlayfs");
    if (device < 0)
        add_command(command, "chmod 0666 /dev/fuse");
}

/* What no setting of the administrator changes. */
static void check_limits(struct json *rows)
{
    check_add(
        rows, "filters of programs", probe_seccomp_filter() == 0, CHECK_WANTED,
        "programs that install seccomp filters of their own cannot be checkpointed, those under "
        "the runtime's filter can");
}

char *check_user(struct firn *firn, struct json *rows)
{
    struct buf command = {0};
    check_ids(rows, &command);
    check_storage(firn, rows, &command);
    check_faults(rows, &command);
    check_ping(rows, &command);
    check_network(rows, &command);
    check_cgroups(rows);
    check_limits(rows);
    return command.size ? buf_take(&command) : NULL;
}
