/* The short way to find a Landlock domain (landlock.h knows the long one): who is in one that has
 * to do with files may not mount, whatever his rights. Asked with flags that are no mount. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "engine/landlock.h"
#include "engine/state.h"

#define NO_MOUNT (MS_SHARED | MS_PRIVATE)

/* Filters that cannot be suspended might kill for it. */
static bool may_ask(const struct look *l)
{
    const struct proc_status *s = &l->thread->status;
    return !landlock_is_likely(s) && s->cap_eff >> CAP_SYS_ADMIN & 1 &&
           (l->dump->freezer.seccomp_suspended || s->seccomp == 0);
}

static void *ask(struct look *l)
{
    if (!may_ask(l))
        return NULL;
    size_t *call = arena_new_of(l->dump->arena, size_t);
    *call = batch_try(l->batch, SYS_mount, 0, batch_string(l->batch, "/"), 0, NO_MOUNT, 0);
    return call;
}

static int take(struct look *l, void *asked, struct error *)
{
    if (asked && batch_result(l->batch, *(const size_t *)asked) == -EPERM)
        dump_refuse(l->dump, l->task, LANDLOCK_REASON);
    return 0;
}

const struct state_part state_landlock = {"landlock", ask, take, NULL};
