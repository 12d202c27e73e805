/* Finding room in the address spaces, and emptying them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "engine/restore.h"
#include "engine/stage.h"
#include "engine/vma.h"

#define VDSO_ROOM (1u << 20)
#define LOWEST    0x10000000ull
#define HIGHEST   0x7ff000000000ull

struct span {
    uint64_t start, end;
};

struct spans {
    struct span *list;
    size_t count, room;
};

static void add_span(struct spans *s, uint64_t start, uint64_t end)
{
    array_reserve(s->list, s->count, s->room);
    s->list[s->count++] = (struct span){start, end};
}

static int add_process(struct spans *s, pid_t pid, struct error *err)
{
    struct vma_list *list;
    int n = vma_list_read_plain(pid, &list, err);
    if (n < 0)
        return n;
    for (size_t i = 0; i < list->count; i++)
        add_span(s, list->areas[i].start, list->areas[i].end);
    vma_list_free(list);
    return 0;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* The first hole that no process, old or new, uses. */
static uint64_t find_hole(struct spans *s, uint64_t size)
{
    qsort(s->list, s->count, sizeof(*s->list), compare_spans);
    uint64_t at = LOWEST;
    for (size_t i = 0; i < s->count; i++) {
        if (s->list[i].end <= at)
            continue;
        /* A page of distance keeps neighbours from being merged with us. */
        if (s->list[i].start >= at + size + PAGE)
            break;
        at = s->list[i].end + PAGE;
    }
    return at + size < HIGHEST ? at : 0;
}

remote_addr ground_vdso(const struct restore *r)
{
    return r->ground + STAGE_SIZE + PAGE;
}

/* [stage] [room for the vdso] [nursery] [nursery] ..., a page between each. */
int restore_find_ground(struct restore *r, struct error *err)
{
    uint64_t size = STAGE_SIZE + PAGE + VDSO_ROOM + PAGE;
    for (size_t i = 0; i < r->nursery_count; i++)
        size += r->nurseries[i].size + 2 * vma_page_size(r->nurseries[i].huge);
    struct spans s = {0};
    for (size_t i = 0; i < r->tree.count; i++)
        for (size_t j = 0; r->tree.tasks[i].mm && j < r->tree.tasks[i].mm->n_vmas; j++)
            add_span(&s, r->tree.tasks[i].mm->vmas[j]->start, r->tree.tasks[i].mm->vmas[j]->end);
    int n = add_process(&s, r->init, err);
    if (n == 0)
        n = add_process(&s, getpid(), err);
    r->ground = n == 0 ? find_hole(&s, size) : 0;
    r->ground_size = size;
    free(s.list);
    if (n < 0)
        return n;
    if (!r->ground)
        return error_set(err, ENOMEM, "no %llu bytes of address space are free in all processes",
                         (unsigned long long)size);
    uint64_t at = ground_vdso(r) + VDSO_ROOM + PAGE;
    for (size_t i = 0; i < r->nursery_count; i++) {
        struct nursery *nursery = &r->nurseries[i];
        uint64_t page = vma_page_size(nursery->huge);
        nursery->address = (at + page - 1) & ~(page - 1);
        at = nursery->address + nursery->size + PAGE;
    }
    return 0;
}

/* Unmaps all but the kernel's mappings and the stage. */
int restore_clear(struct restore *r, struct puppet *p, struct error *err)
{
    struct vma_list *list;
    int n = vma_list_read_plain(p->process, &list, err);
    if (n < 0)
        return n;
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    batch_start(b, p);
    for (size_t i = 0; i < list->count && n == 0; i++) {
        const struct vma *v = &list->areas[i];
        if (vma_is_kernel(v->name) ||
            (v->start >= p->stage.address && v->end <= p->stage.address + p->stage.size))
            continue;
        if (!batch_fits(b, 1, 0)) {
            n = batch_run(b, err);
            batch_reset(b);
        }
        batch_call(b, "unmap memory", SYS_munmap, v->start, v->end - v->start);
    }
    if (n == 0)
        n = batch_run(b, err);
    batch_free(b);
    vma_list_free(list);
    return n;
}
