#include "container/namespace.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"

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
    return namespace_cover();
}

int namespace_cover(void)
{
    /* Covered, not unmounted: crun makes its directories there all the same, and they are to go
     * with the namespace. */
    return mount("none", unified, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "size=1m") < 0 ? -errno
                                                                                            : 0;
}

char *namespace_name(void)
{
    struct stat st;
    if (!namespace_needed() || stat("/proc/self/ns/mnt", &st) < 0)
        return NULL;
    return xasprintf("mnt:[%llu]", (unsigned long long)st.st_ino);
}

/* Enters the mount namespace of a process if it is the wanted one. */
static bool follow(const char *pid, const char *wanted)
{
    char path[64], name[64];
    snprintf(path, sizeof(path), "/proc/%.20s/ns/mnt", pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    snprintf(name, sizeof(name), "mnt:[%llu]", (unsigned long long)st.st_ino);
    return strcmp(name, wanted) == 0 && setns(fd, CLONE_NEWNS) == 0;
}

bool namespace_come_home(void)
{
    const char *wanted = getenv(NAMESPACE_VARIABLE);
    if (!wanted || !*wanted)
        return true;
    struct stat st;
    char name[64] = "";
    if (stat("/proc/self/ns/mnt", &st) == 0)
        snprintf(name, sizeof(name), "mnt:[%llu]", (unsigned long long)st.st_ino);
    if (strcmp(name, wanted) == 0 || follow("1", wanted))
        return true;
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));)
        if (isdigit((unsigned char)e->d_name[0]) && follow(e->d_name, wanted))
            return true;
    return false;
}
