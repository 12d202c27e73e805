#include "engine/huge-pages.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "engine/extra.h"
#include "engine/kernel.h"
#include "engine/vma.h"

void huge_pages_note(struct json *process, uint64_t start, uint64_t end)
{
    struct json *list = js_get(process, "hugePages");
    if (!list)
        js_set(process, "hugePages", list = js_array());
    struct json *last = js_count(list) ? js_at(list, js_count(list) - 1) : NULL;
    if (!last || (uint64_t)js_get_int(last, "end", 0) != start) {
        js_push(list, last = js_object());
        js_set(last, "start", js_int((int64_t)start));
    }
    js_set(last, "end", js_int((int64_t)end));
}

static int room_for(struct batch *b, struct error *err)
{
    if (batch_fits(b, 2, 0))
        return 0;
    int n = batch_run(b, err);
    batch_reset(b);
    return n;
}

/* The kernel makes a page huge in which something is there; in an area for which the process asked
 * for huge pages it does so by itself. */
static int prepare(struct batch *b, const VmaEntry *v, uint64_t start, uint64_t end,
                   struct error *err)
{
    bool asked = v->has_madv && v->madv & 1ull << MADV_HUGEPAGE;
    start = (start + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    end &= ~(HUGE_PAGE - 1);
    int n = 0;
    for (uint64_t at = start; n == 0 && !asked && at < end; at += HUGE_PAGE) {
        n = room_for(b, err);
        batch_try(b, SYS_madvise, at, PAGE, FIRN_MADV_POPULATE_WRITE);
    }
    if (n == 0)
        n = room_for(b, err);
    if (start < end)
        batch_try(b, SYS_madvise, start, end - start, asked ? MADV_HUGEPAGE : FIRN_MADV_COLLAPSE);
    return n;
}

int huge_pages_prepare(const struct restore *r, const struct task *t, struct batch *b,
                       struct error *err)
{
    const struct json *extra = extra_find(r->extra, "processes", (uint64_t)t->vpid);
    const struct json *list = js_get(extra, "hugePages");
    size_t area = 0;
    int n = 0;
    for (size_t i = 0; n == 0 && i < js_count(list); i++) {
        uint64_t start = (uint64_t)js_get_int(js_at(list, i), "start", 0);
        uint64_t end = (uint64_t)js_get_int(js_at(list, i), "end", 0);
        while (area < t->mm->n_vmas && t->mm->vmas[area]->end <= start)
            area++;
        for (size_t j = area; n == 0 && j < t->mm->n_vmas && t->mm->vmas[j]->start < end; j++) {
            const VmaEntry *v = t->mm->vmas[j];
            if (v->status & VMA_ANON_PRIVATE && !(v->status & (VMA_VDSO | VMA_VVAR)))
                n = prepare(b, v, start > v->start ? start : v->start, end < v->end ? end : v->end,
                            err);
        }
    }
    if (n == 0)
        n = batch_run(b, err);
    batch_reset(b);
    return n;
}
