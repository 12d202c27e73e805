/* What a process did to its memory so that nobody can change it any more, which therefore comes
 * last: sealed areas (mseal(2)) and PR_SET_MDWE. Names of areas come along. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "engine/kernel.h"
#include "engine/restore.h"
#include "engine/state.h"

static void *ask(struct look *l)
{
    size_t *call = arena_new_of(l->dump->arena, size_t);
    *call = batch_try(l->batch, SYS_prctl, PR_GET_MDWE);
    return call;
}

static int take(struct look *l, void *asked, struct error *err)
{
    int64_t bits = batch_result(l->batch, *(const size_t *)asked);
    if (bits > 0)
        js_set(extra_of(l->dump->extra, "processes", (uint64_t)l->task->vpid), "mdwe",
               js_int(bits));
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
    int64_t bits = js_get_int(extra, "mdwe", 0);
    if (n == 0 && bits)
        batch_call(v->batch, "forbid itself executable memory", SYS_prctl, PR_SET_MDWE,
                   (uint64_t)bits, 0, 0, 0);
    return n;
}

const struct state_part state_memory_protection = {"memory protection", ask, take, restore};
