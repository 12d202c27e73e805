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
    return 0;
}
