#include "engine/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/kernel.h"

/* The columns of a line such as "NSpid:\t812\t1". Returns how many there are. */
static int columns(const char *line, pid_t all[PID_CHAIN])
{
    char *end;
    int n = 0;
    for (; n < PID_CHAIN; line = end, n++) {
        long next = strtol(line, &end, 10);
        if (end == line)
            break;
        all[n] = (pid_t)next;
    }
    return n;
}

static pid_t last_column(const char *line)
{
    pid_t all[PID_CHAIN] = {0};
    int n = columns(line, all);
    return n ? all[n - 1] : 0;
}

static const char *value_of(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n')
            line++;
        if (strncmp(line, key, n) == 0 && line[n] == ':')
            return line + n + 1;
    }
    return "";
}

int proc_status_read(pid_t pid, pid_t tid, struct proc_status *ret)
{
    char path[64];
    char text[8192];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
    int r = file_read_line(path, text, sizeof(text));
    if (r < 0)
        return r;
    struct proc_status s = {0};
    s.depth = columns(value_of(text, "NSpid"), s.chain);
    s.vpid = s.depth ? s.chain[s.depth - 1] : 0;
    s.vgroup = last_column(value_of(text, "NSpgid"));
    s.vsession = last_column(value_of(text, "NSsid"));
    s.parent = (pid_t)strtol(value_of(text, "PPid"), NULL, 10);
    s.process = (pid_t)strtol(value_of(text, "Tgid"), NULL, 10);
    s.tracer = (pid_t)strtol(value_of(text, "TracerPid"), NULL, 10);
    s.umask = (uint32_t)strtoul(value_of(text, "Umask"), NULL, 8);
    s.cap_inh = strtoull(value_of(text, "CapInh"), NULL, 16);
    s.cap_prm = strtoull(value_of(text, "CapPrm"), NULL, 16);
    s.cap_eff = strtoull(value_of(text, "CapEff"), NULL, 16);
    s.cap_bnd = strtoull(value_of(text, "CapBnd"), NULL, 16);
    s.cap_amb = strtoull(value_of(text, "CapAmb"), NULL, 16);
    s.no_new_privs = strtol(value_of(text, "NoNewPrivs"), NULL, 10) != 0;
    s.seccomp = (int)strtol(value_of(text, "Seccomp"), NULL, 10);
    s.seccomp_filters = (int)strtol(value_of(text, "Seccomp_filters"), NULL, 10);
    *ret = s;
    return 0;
}

int proc_link(pid_t pid, const char *name, char *to, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    ssize_t n = readlink(path, to, size - 1);
    if (n < 0)
        return -errno;
    if ((size_t)n == size - 1)
        return -ENAMETOOLONG;
    to[n] = '\0';
    return 0;
}

int proc_borrow(pid_t pid, int fd)
{
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        pidfd = (int)syscall(SYS_pidfd_open, pid, FIRN_PIDFD_THREAD);
    int copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    return copy < 0 ? -errno : copy;
}

static int compare_numbers(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

int proc_each(pid_t pid, const char *name, int (*each)(int number, void *context), void *context)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    _cleanup_closedir_ DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    _cleanup_free_ int *numbers = NULL;
    size_t count = 0, room = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        array_reserve(numbers, count, room);
        numbers[count++] = atoi(e->d_name);
    }
    if (count)
        qsort(numbers, count, sizeof(int), compare_numbers);
    int r = 0;
    for (size_t i = 0; i < count && r >= 0; i++)
        r = each(numbers[i], context);
    return r < 0 ? r : 0;
}
