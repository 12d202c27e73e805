#include "engine/namespaces.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "engine/dump.h"

static const struct {
    const char *file, *what;
} kinds[] = {
    {"user", "a user namespace"},
    {"pid", "a pid namespace"},
    {"pid_for_children", "a pid namespace for its children"},
    {"mnt", "a mount namespace"},
    {"net", "a network namespace"},
    {"uts", "a UTS namespace"},
    {"ipc", "an IPC namespace"},
    {"cgroup", "a cgroup namespace"},
    {"time", "a time namespace"},
    {"time_for_children", "a time namespace for its children"},
};

struct names {
    char of[ARRAY_LEN(kinds)][64]; /* "" where the kernel has none, or hides it */
};

static void read_names(pid_t process, pid_t tid, struct names *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char link[64];
        snprintf(link, sizeof(link), "task/%d/ns/%s", tid, kinds[i].file);
        if (proc_link(process, link, ret->of[i], sizeof(ret->of[i])) < 0)
            ret->of[i][0] = 0;
    }
}

/* Children of one that has entered a namespace for them are told of already. */
static bool is_told(const struct names *own, size_t kind)
{
    return strstr(kinds[kind].file, "_for_children") &&
           strcmp(own->of[kind], own->of[kind - 1]) == 0;
}

/* One that came by exec has our time, while init's goes on from where it was (clocks.h). */
static bool is_ours(const char *name, const char *kind)
{
    char link[64], ours[64];
    snprintf(link, sizeof(link), "ns/%s", kind);
    return strncmp(kind, "time", 4) == 0 && proc_link(getpid(), link, ours, sizeof(ours)) == 0 &&
           strcmp(name, ours) == 0;
}

static void check(struct dump *d, const struct task *t, pid_t tid, const char *who,
                  const struct names *inits)
{
    struct names own;
    read_names(t->pid, tid, &own);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (own.of[i][0] && inits->of[i][0] && strcmp(own.of[i], inits->of[i]) != 0 &&
            !is_told(&own, i) && !is_ours(own.of[i], kinds[i].file))
            dump_refuse(d, t, "has %s%s of its own, which firn cannot make again", who,
                        kinds[i].what);
}

/* A thread cannot leave the namespaces of its process without this; a user namespace, which would
 * give it, is only for processes with a single thread. */
static bool may_leave(const struct thread *th)
{
    return (th->status.cap_prm | th->status.cap_bnd) >> CAP_SYS_ADMIN & 1;
}

int dump_check_namespaces(struct dump *d, struct error *)
{
    struct names inits;
    const struct task *init = &d->tree.tasks[0];
    read_names(init->pid, init->pid, &inits);
    for (size_t i = 0; i < d->tree.count; i++) {
        const struct task *t = &d->tree.tasks[i];
        if (t->state == TASK_ZOMBIE)
            continue;
        check(d, t, t->pid, "", &inits);
        for (size_t j = 1; j < t->thread_count; j++)
            if (may_leave(&t->threads[j]))
                check(d, t, t->threads[j].puppet.tid, "a thread with ", &inits);
    }
    return 0;
}
