/* What a process said of all its memory, and that to come, or such that nobody can change it any
 * more, which therefore comes last: mlockall(2), sealed areas (mseal(2)), PR_SET_MDWE,
 * PR_SET_MEMORY_MERGE. Names of areas come along. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "engine/kernel.h"
#include "engine/restore.h"
#include "engine/stage.h"
#include "engine/state.h"

struct asked {
    size_t mdwe, merge, forget, resident;
    remote_addr page;
};

/* Whether memory to come is locked (mlockall(2)) shows in the stage, which has just come: the
 * kernel refuses to forget pages that are locked, and if there are some that nobody has touched,
 * locking populates. */
static void *ask(struct look *l)
{
    struct asked *a = arena_new_of(l->dump->arena, struct asked);
    remote_addr untouched = l->thread->puppet.stage.data + STAGE_DATA_SIZE - PAGE;
    a->mdwe = batch_try(l->batch, SYS_prctl, PR_GET_MDWE);
    a->merge = batch_try(l->batch, SYS_prctl, FIRN_PR_GET_MEMORY_MERGE);
    a->page = look_room(l, uint8_t);
    a->resident = batch_try(l->batch, SYS_mincore, untouched, PAGE, a->page);
    a->forget = batch_try(l->batch, SYS_madvise, untouched, PAGE, MADV_DONTNEED);
    return a;
}

static void note(struct look *l, const char *key, int64_t value)
{
    if (value > 0)
        js_set(extra_of(l->dump->extra, "processes", (uint64_t)l->task->vpid), key, js_int(value));
}

static int take(struct look *l, void *asked, struct error *err)
{
    const struct asked *a = asked;
    bool locked = batch_result(l->batch, a->forget) == -EINVAL;
    bool populated = *look_local(l, uint8_t, a->page) & 1;
    note(l, "mdwe", batch_result(l->batch, a->mdwe));
    note(l, "mergeable", batch_result(l->batch, a->merge));
    note(l, "lockFuture", !locked ? 0 : populated ? MCL_FUTURE : MCL_FUTURE | MCL_ONFAULT);
    return 0;
}

static int range_of(const struct json *o, uint64_t *start, uint64_t *size, struct error *err)
{
    uint64_t end = (uint64_t)js_get_int(o, "end", 0);
    *start = (uint64_t)js_get_int(o, "start", 0);
    *size = end - *start;
    return *start % PAGE || end % PAGE || end <= *start
               ? error_set(err, EINVAL, "%s of the checkpoint has a wrong area", EXTRA_FILE)
               : 0;
}

static int each_area(struct revival *v, const struct json *areas,
                     void (*add)(struct batch *, uint64_t, uint64_t, const struct json *),
                     struct error *err)
{
    int n = 0;
    for (size_t i = 0; n == 0 && i < js_count(areas); i++) {
        uint64_t start, size;
        n = range_of(js_at(areas, i), &start, &size, err);
        if (n == 0 && !batch_fits(v->batch, 2, 512)) {
            n = batch_run(v->batch, err);
            batch_reset(v->batch);
        }
        if (n == 0)
            add(v->batch, start, size, js_at(areas, i));
    }
    return n;
}

/* Kernels without names of areas do without. */
static void name(struct batch *b, uint64_t start, uint64_t size, const struct json *o)
{
    const char *text = js_get_string(o, "name");
    if (text && strlen(text) < FIRN_ANON_VMA_NAME_MAX)
        batch_try(b, SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, size,
                  batch_string(b, text));
}

static void seal(struct batch *b, uint64_t start, uint64_t size, const struct json *o)
{
    batch_call(b, "seal its memory again", FIRN_SYS_MSEAL, start, size, 0);
}

static int restore(struct revival *v, struct error *err)
{
    const struct json *extra = extra_find(v->restore->extra, "processes", (uint64_t)v->task->vpid);
    int n = each_area(v, js_get(extra, "names"), name, err);
    if (n == 0)
        n = each_area(v, js_get(extra, "sealed"), seal, err);
    int64_t bits = js_get_int(extra, "mdwe", 0), lock = js_get_int(extra, "lockFuture", 0);
    if (n == 0 && lock)
        batch_call(v->batch, "lock memory to come", SYS_mlockall,
                   (uint64_t)lock & (MCL_FUTURE | MCL_ONFAULT));
    if (n == 0 && js_get_int(extra, "mergeable", 0))
        batch_try(v->batch, SYS_prctl, FIRN_PR_SET_MEMORY_MERGE, 1, 0, 0, 0);
    if (n == 0 && bits)
        batch_call(v->batch, "forbid itself executable memory", SYS_prctl, PR_SET_MDWE,
                   (uint64_t)bits, 0, 0, 0);
    return n;
}

const struct state_part state_memory_protection = {"memory protection", ask, take, restore};
