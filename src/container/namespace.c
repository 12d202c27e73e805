#include "container/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/process.h"

static const char unified[] = "/sys/fs/cgroup/unified";

bool namespace_needed(void)
{
    /* crun minds only when the unified side has controllers of its own. */
    char controllers[64];
    return geteuid() == 0 &&
           file_read_line("/sys/fs/cgroup/unified/cgroup.controllers", controllers,
                          sizeof(controllers)) == 0 &&
           controllers[0];
}

int namespace_leave(void *context)
{
    if (unshare(CLONE_NEWNS) < 0)
        return -errno;
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return -errno;
    return umount2(unified, MNT_DETACH) < 0 && errno != EINVAL ? -errno : 0;
}

int namespace_open(void)
{
    return namespace_needed() ? open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC) : -1;
}

/* The descriptor is in conmon, or in the child of it that waits for us: our parent or its parent.
 */
void namespace_come_home(void)
{
    const char *number = getenv(NAMESPACE_VARIABLE);
    if (!number || !*number || strspn(number, "0123456789") != strlen(number))
        return;
    pid_t pid = getppid();
    for (int generation = 0; generation < 3 && pid > 1; generation++) {
        char path[64], target[64];
        snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, number);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n > 4 && strncmp(target, "mnt:", 4) == 0) {
            _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd >= 0 && setns(fd, CLONE_NEWNS) == 0) {
                unsetenv(NAMESPACE_VARIABLE);
                return;
            }
        }
        struct process_stat stat;
        if (process_stat_read(pid, 0, &stat) < 0)
            return;
        pid = stat.parent;
    }
}
