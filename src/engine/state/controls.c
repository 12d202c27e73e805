/* What prctl(2) lets a thread choose about the processor and the kernel: whether rdtsc works, which
 * speculation it does without, what memory errors do, whether it does I/O for others. Core
 * scheduling is refused: its groups can be seen by nobody. */
#include <errno.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "engine/restore.h"
#include "engine/state.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#define PR_GET_IO_FLUSHER 58
#endif
#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif
#define SCHED_CORE_GET 0

static const struct {
    const char *key;
    int get, set;
    uint64_t which; /* the first argument of both, */
    bool by_which;  /* if they have one */
    bool by_place;  /* the first argument of `get` is where to put the value */
    int64_t usual, bits;
} controls[] = {
    {"tsc", PR_GET_TSC, PR_SET_TSC, 0, false, true, PR_TSC_ENABLE, -1},
    {"memoryErrors", PR_MCE_KILL_GET, PR_MCE_KILL, PR_MCE_KILL_SET, true, false,
     PR_MCE_KILL_DEFAULT, -1},
    {"ioFlusher", PR_GET_IO_FLUSHER, PR_SET_IO_FLUSHER, 0, false, false, 0, -1},
    /* Without PR_SPEC_PRCTL there is no choice. */
    {"storeBypass", PR_GET_SPECULATION_CTRL, PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, true,
     false, PR_SPEC_ENABLE, PR_SPEC_PRCTL},
    {"indirectBranches", PR_GET_SPECULATION_CTRL, PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH,
     true, false, PR_SPEC_ENABLE, PR_SPEC_PRCTL},
    {"cacheFlush", PR_GET_SPECULATION_CTRL, PR_SET_SPECULATION_CTRL, PR_SPEC_L1D_FLUSH, true, false,
     PR_SPEC_DISABLE, PR_SPEC_PRCTL},
};

struct asked {
    size_t calls[ARRAY_LEN(controls)], core;
    remote_addr places[ARRAY_LEN(controls)], cookie;
};

static void *ask(struct look *l)
{
    struct asked *a = arena_new_of(l->dump->arena, struct asked);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        if (controls[i].by_place)
            a->places[i] = look_room(l, int);
        /* PR_MCE_KILL_GET takes no argument. */
        uint64_t argument = controls[i].by_place                 ? a->places[i]
                            : controls[i].get == PR_MCE_KILL_GET ? 0
                                                                 : controls[i].which;
        a->calls[i] = batch_try(l->batch, SYS_prctl, (uint64_t)controls[i].get, argument);
    }
    a->cookie = look_room(l, uint64_t);
    a->core = batch_try(l->batch, SYS_prctl, PR_SCHED_CORE, SCHED_CORE_GET, 0, 0, a->cookie);
    return a;
}

static int take(struct look *l, void *asked, struct error *err)
{
    const struct asked *a = asked;
    if (batch_result(l->batch, a->core) == 0 && *look_local(l, uint64_t, a->cookie))
        return error_set(err, ENOTSUP,
                         "process %d (%s) of container %s is in a group of core scheduling, which "
                         "firn cannot make again",
                         l->task->vpid, l->task->stat.comm, l->dump->options.name);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        int64_t value = batch_result(l->batch, a->calls[i]);
        bool known = value >= 0;
        if (known && controls[i].by_place)
            value = *look_local(l, int, a->places[i]);
        if (!known || (controls[i].bits > 0 && !(value & controls[i].bits)))
            continue;
        value = controls[i].bits > 0 ? value & ~controls[i].bits : value;
        if (value != controls[i].usual)
            js_set(extra_of(l->dump->extra, "threads", (uint64_t)l->thread->puppet.vtid),
                   controls[i].key, js_int(value));
    }
    return 0;
}

/* Another processor may offer no choice: then there is nothing to protect from. */
static int restore(struct revival *v, struct error *)
{
    const struct json *extra =
        extra_find(v->restore->extra, "threads", (uint64_t)v->thread->puppet.vtid);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        const struct json *value = js_get(extra, controls[i].key);
        if (value && controls[i].by_which)
            batch_try(v->batch, SYS_prctl, (uint64_t)controls[i].set, controls[i].which,
                      (uint64_t)js_int_value(value));
        else if (value)
            batch_try(v->batch, SYS_prctl, (uint64_t)controls[i].set,
                      (uint64_t)js_int_value(value));
    }
    return 0;
}

const struct state_part state_controls = {"controls", ask, take, restore};
