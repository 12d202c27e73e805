/* What processes share that firn cannot save yet, found and refused before anything is written. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "engine/images.h"

static const struct {
    int type;
    const char *what;
} kinds[] = {
    {KCMP_VM, "its memory"},
    {KCMP_FILES, "its table of descriptors"},
    {KCMP_FS, "its working directory and umask"},
};

/* Sharers are relatives: a child and its parent, or children of one parent. kcmp(2) gives an order,
 * so that sorting brings sharers together. */
static int compare_resource(const void *a, const void *b, void *type)
{
    const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;
    long order = syscall(SYS_kcmp, x->pid, y->pid, *(int *)type, 0, 0);
    return order == 0 ? 0 : order == 1 ? -1 : 1;
}

static int check_kind(struct dump *d, struct task **live, size_t count, size_t kind,
                      struct error *err)
{
    int type = kinds[kind].type;
    qsort_r(live, count, sizeof(*live), compare_resource, &type);
    for (size_t i = 1; i < count; i++)
        if (compare_resource(&live[i - 1], &live[i], &type) == 0)
            return error_set(err, ENOTSUP,
                             "process %d (%s) of container %s shares %s with process %d (%s), "
                             "which firn cannot save yet",
                             live[i]->vpid, live[i]->stat.comm, d->options.name, kinds[kind].what,
                             live[i - 1]->vpid, live[i - 1]->stat.comm);
    return 0;
}

/* System V objects belong to the ipc namespace, not to a process, and are shown only to who is in
 * it: a child goes in and answers by its exit code, 0 for none or 1 + the index of what it found.
 */
static const struct {
    const char *file, *what;
} sysv[] = {
    {"/proc/sysvipc/shm", "a System V shared memory segment"},
    {"/proc/sysvipc/sem", "a System V semaphore set"},
    {"/proc/sysvipc/msg", "a System V message queue"},
};

static int find_sysv(int ns)
{
    if (setns(ns, CLONE_NEWIPC) < 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(sysv); i++) {
        _cleanup_buf_ struct buf text = {0};
        if (file_read(sysv[i].file, &text, NULL) < 0 || !text.data)
            continue;
        const char *end_of_header = strchr(text.data, '\n');
        if (end_of_header && end_of_header[1])
            return (int)i + 1;
    }
    return 0;
}

static bool own_ipc_namespace(pid_t init)
{
    char ours[64], theirs[64];
    return proc_link(getpid(), "ns/ipc", ours, sizeof(ours)) == 0 &&
           proc_link(init, "ns/ipc", theirs, sizeof(theirs)) == 0 && strcmp(ours, theirs) != 0;
}

static int check_sysv(struct dump *d, struct error *err)
{
    if (!own_ipc_namespace(d->options.init))
        return 0;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/ipc", d->options.init);
    _cleanup_close_ int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0)
        return error_errno(err, errno, "cannot open the ipc namespace of container %s",
                           d->options.name);
    pid_t child = fork();
    if (child == 0)
        _exit(find_sysv(ns));
    int found = child > 0 ? spawn_wait(child) : 0;
    if (found > 0 && (size_t)found <= ARRAY_LEN(sysv))
        return error_set(err, ENOTSUP, "container %s has %s, which firn cannot save yet",
                         d->options.name, sysv[found - 1].what);
    return 0;
}

int dump_check_sharing(struct dump *d, struct error *err)
{
    struct task **live = arena_array_of(d->arena, struct task *, d->tree.count);
    size_t count = 0;
    for (size_t i = 0; i < d->tree.count; i++)
        if (d->tree.tasks[i].state != TASK_ZOMBIE)
            live[count++] = &d->tree.tasks[i];
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        int r = check_kind(d, live, count, k, err);
        if (r < 0)
            return r;
    }
    return check_sysv(d, err);
}
