#include "engine/cradles.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/extra.h"
#include "engine/vma.h"

/* Fewer pages are not worth a cradle. */
#define WORTH_PAGES 16
#define PIECE       (64u << 20)

/* What is known of a process while cradles are made. */
struct shadow {
    bool *holds;       /* by cradle */
    uint8_t *same;     /* by page of its file: it is that of the cradle */
    const char *pages; /* its file */
    size_t size;
};

struct nursing {
    struct restore *r;
    struct shadow *shadows; /* as the tasks */
};

static struct shadow *shadow_of(const struct nursing *g, const struct task *t)
{
    return &g->shadows[t - g->r->tree.tasks];
}

/* ---- which areas ---- */

static bool has_memory(const struct task *t)
{
    return t->state != TASK_ZOMBIE && t->mm && !t->shared[SHARE_MEMORY];
}

static bool is_born_of_init(const struct restore *r, const struct task *t)
{
    while (t->parent_task)
        t = t->parent_task;
    return t == &r->tree.tasks[0];
}

static bool is_plain(const VmaEntry *v)
{
    return v->status & VMA_ANON_PRIVATE && !(v->status & (VMA_VDSO | VMA_VVAR | VMA_STACK)) &&
           !(v->flags & (MAP_GROWSDOWN | MAP_HUGETLB));
}

/* The area of `t` that begins where `v` does and holds all of it. One that is larger would consist
 * of two mappings, which nobody minds in a heap, and which do not stay apart in init. */
static const VmaEntry *covering(const struct restore *r, const struct task *t, const VmaEntry *v)
{
    size_t low = 0, high = t->mm->n_vmas;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->mm->vmas[middle]->start < v->start)
            low = middle + 1;
        else
            high = middle;
    }
    const VmaEntry *own = low < t->mm->n_vmas ? t->mm->vmas[low] : NULL;
    if (!own || own->start != v->start || own->end < v->end || !is_plain(own) ||
        own->flags != v->flags)
        return NULL;
    bool may_be_larger = t == &r->tree.tasks[0] || own->status & VMA_HEAP;
    return own->end == v->end || may_be_larger ? own : NULL;
}

/* The first of its page ranges that ends beyond `address`, and how many pages are before it. */
static size_t first_range(const struct task *t, uint64_t address, uint64_t *ret_before)
{
    size_t i = 0;
    uint64_t before = 0;
    while (i < t->page_range_count && t->pages[i].start + t->pages[i].count * PAGE <= address)
        before += t->pages[i++].count;
    *ret_before = before;
    return i;
}

static bool is_worth_it(const struct task *t, const VmaEntry *v)
{
    uint64_t pages = 0, before;
    for (size_t i = first_range(t, v->start, &before);
         i < t->page_range_count && t->pages[i].start < v->end && pages < WORTH_PAGES; i++)
        pages += t->pages[i].count;
    return pages >= WORTH_PAGES;
}

/* Huge pages are made in each process; in a cradle they would be small. */
static bool is_huge(const struct restore *r, const struct task *t, const VmaEntry *v)
{
    const struct json *extra = extra_find(r->extra, "processes", (uint64_t)t->vpid);
    const struct json *list = js_get(extra, "hugePages");
    JSON_FOREACH(list, i)
    {
        const struct json *o = js_at(list, i);
        if ((uint64_t)js_get_int(o, "start", 0) < v->end &&
            (uint64_t)js_get_int(o, "end", 0) > v->start)
            return true;
    }
    return false;
}

static struct cradle *overlapping(const struct restore *r, const VmaEntry *v)
{
    for (size_t i = 0; i < r->cradle_count; i++)
        if (r->cradles[i].start < v->end && r->cradles[i].end > v->start)
            return &r->cradles[i];
    return NULL;
}

static void choose(struct restore *r, struct task *t, const VmaEntry *v)
{
    struct task *eldest = NULL;
    const VmaEntry *area = NULL;
    for (struct task *a = t->parent_task; a; a = a->parent_task)
        if (has_memory(a) && covering(r, a, v))
            eldest = a, area = covering(r, a, v);
    if (!eldest || overlapping(r, v) || !is_worth_it(t, v) || is_huge(r, eldest, v) ||
        is_huge(r, t, v))
        return;
    array_reserve(r->cradles, r->cradle_count, r->cradle_room);
    r->cradles[r->cradle_count++] =
        (struct cradle){.start = v->start, .end = v->end, .area = area, .owner = eldest};
}

static void choose_all(struct restore *r)
{
    for (size_t i = 1; i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        for (size_t j = 0; has_memory(t) && is_born_of_init(r, t) && j < t->mm->n_vmas; j++)
            if (is_plain(t->mm->vmas[j]))
                choose(r, t, t->mm->vmas[j]);
    }
}

static bool can_hold(const struct restore *r, const struct task *t, const struct cradle *c)
{
    VmaEntry wanted = *c->area;
    wanted.end = c->end;
    return has_memory(t) && is_born_of_init(r, t) && covering(r, t, &wanted);
}

/* ---- which pages ---- */

/* Goes through the pages of a process between two addresses. */
struct walk {
    const struct task *task;
    size_t range;
    uint64_t into, position, address, end;
};

static bool walk_settle(struct walk *w)
{
    const struct task *t = w->task;
    if (w->range == t->page_range_count)
        return false;
    w->address = t->pages[w->range].start + w->into * PAGE;
    return w->address < w->end;
}

static bool walk_start(struct walk *w, const struct task *t, uint64_t start, uint64_t end)
{
    *w = (struct walk){.task = t, .end = end};
    w->range = first_range(t, start, &w->position);
    if (w->range < t->page_range_count && t->pages[w->range].start < start)
        w->into = (start - t->pages[w->range].start) / PAGE;
    w->position += w->into;
    return walk_settle(w);
}

static bool walk_next(struct walk *w)
{
    w->position++;
    if (++w->into == w->task->pages[w->range].count)
        w->range++, w->into = 0;
    return walk_settle(w);
}

static void compare(const struct nursing *g, const struct cradle *c, const struct task *t)
{
    struct shadow *mine = shadow_of(g, t), *owners = shadow_of(g, c->owner);
    struct walk a, b;
    bool more = walk_start(&a, c->owner, c->start, c->end);
    more = walk_start(&b, t, c->start, c->end) && more;
    while (more) {
        if (a.address != b.address) {
            more = walk_next(a.address < b.address ? &a : &b);
            continue;
        }
        g->r->stats.pages_compared++;
        if (memcmp(owners->pages + a.position * PAGE, mine->pages + b.position * PAGE, PAGE) == 0)
            owners->same[a.position] = mine->same[b.position] = 1;
        more = walk_next(&a);
        more = walk_next(&b) && more;
    }
}

static int open_shadow(const struct nursing *g, const struct task *t, struct error *err)
{
    struct shadow *s = shadow_of(g, t);
    char name[IMAGE_NAME_MAX];
    uint64_t count = 0;
    for (size_t i = 0; i < t->page_range_count; i++)
        count += t->pages[i].count;
    s->size = count * PAGE;
    if (s->pages || !count)
        return 0;
    _cleanup_close_ int fd = openat(g->r->dirfd, image_name(IMAGE_PAGES, t->pages_id, name),
                                    O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    void *pages = fd < 0 ? MAP_FAILED : mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (pages == MAP_FAILED)
        return error_errno(err, errno, "cannot read %s of the checkpoint", name);
    s->pages = pages;
    s->same = xcalloc(count, 1);
    return 0;
}

static int compare_all(const struct nursing *g, struct error *err)
{
    struct restore *r = g->r;
    for (size_t i = 0; i < r->cradle_count; i++) {
        struct cradle *c = &r->cradles[i];
        int n = c->made ? open_shadow(g, c->owner, err) : 0;
        for (size_t j = 0; n == 0 && c->made && j < r->tree.count; j++) {
            struct task *t = &r->tree.tasks[j];
            struct shadow *s = shadow_of(g, t);
            if (!can_hold(r, t, c))
                continue;
            if (!s->holds)
                s->holds = t->cradles = arena_array_of(r->arena, bool, r->cradle_count);
            s->holds[i] = true;
            n = t == c->owner ? 0 : open_shadow(g, t, err);
            if (n == 0 && t != c->owner && s->pages)
                compare(g, c, t);
        }
        if (n < 0)
            return n;
    }
    return 0;
}

/* ---- making them ---- */

static int map_all(struct restore *r, struct error *err)
{
    struct puppet *init = &r->tree.tasks[0].threads[0].puppet;
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    int n = 0;
    batch_start(b, init);
    for (size_t i = 0; n == 0 && i < r->cradle_count; i++) {
        struct cradle *c = &r->cradles[i];
        batch_reset(b);
        uint64_t flags = c->area->flags & (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
        size_t call = batch_try(b, SYS_mmap, c->start, c->end - c->start, PROT_READ | PROT_WRITE,
                                flags | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0);
        n = batch_run(b, err);
        /* Something of init's own may still be there: then it is not shared. */
        c->made = n == 0 && batch_result(b, call) == (int64_t)c->start;
    }
    batch_free(b);
    return n;
}

static int fill(const struct nursing *g, const struct cradle *c, struct error *err)
{
    const struct shadow *s = shadow_of(g, c->owner);
    struct walk w;
    bool more = s->pages && walk_start(&w, c->owner, c->start, c->end);
    while (more) {
        uint64_t from = w.address, position = w.position, size = 0;
        for (; more && size < PIECE && s->same[w.position] && w.address == from + size;
             more = walk_next(&w))
            size += PAGE;
        if (size) {
            int n = remote_write(g->r->init, from, s->pages + position * PAGE, size);
            if (n < 0)
                return error_errno(err, -n, "cannot fill memory at %#llx",
                                   (unsigned long long)from);
        } else {
            more = walk_next(&w);
        }
    }
    return 0;
}

/* What is in the cradle, and not in the process, goes. */
static void note_forgotten(const struct nursing *g, const struct cradle *c, struct task *t,
                           size_t *room)
{
    const struct shadow *owners = shadow_of(g, c->owner);
    struct walk a, b;
    bool more = owners->pages && walk_start(&a, c->owner, c->start, c->end);
    bool mine = walk_start(&b, t, c->start, c->end);
    for (; more; more = walk_next(&a)) {
        while (mine && b.address < a.address)
            mine = walk_next(&b);
        if (!owners->same[a.position] || (mine && b.address == a.address))
            continue;
        array_reserve(t->forgotten, t->forgotten_count, *room);
        t->forgotten[t->forgotten_count++] = (struct page_range){.start = a.address, .count = 1};
    }
}

/* Its page ranges, with those marked that came with the cradle. */
static void mark_ranges(const struct nursing *g, struct task *t)
{
    const struct shadow *s = shadow_of(g, t);
    struct page_range *ranges = NULL;
    size_t count = 0, room = 0;
    uint64_t position = 0;
    for (size_t i = 0; i < t->page_range_count; i++)
        for (uint64_t j = 0; j < t->pages[i].count; j++, position++) {
            bool born = s->same[position];
            g->r->stats.pages_skipped_cow += born;
            if (j == 0 || ranges[count - 1].born != born) {
                array_reserve(ranges, count, room);
                ranges[count++] =
                    (struct page_range){.start = t->pages[i].start + j * PAGE, .born = born};
            }
            ranges[count - 1].count++;
        }
    t->pages = arena_memdup(g->r->arena, ranges, count * sizeof(*ranges));
    t->page_range_count = count;
    free(ranges);
}

static int use(const struct nursing *g, struct error *err)
{
    struct restore *r = g->r;
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->cradle_count; i++)
        n = r->cradles[i].made ? fill(g, &r->cradles[i], err) : 0;
    for (size_t i = 0; n == 0 && i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        size_t room = 0;
        for (size_t j = 0; t->cradles && j < r->cradle_count; j++)
            if (t->cradles[j])
                note_forgotten(g, &r->cradles[j], t, &room);
    }
    for (size_t i = 0; n == 0 && i < r->tree.count; i++)
        if (g->shadows[i].pages)
            mark_ranges(g, &r->tree.tasks[i]);
    return n;
}

int restore_cradles(struct restore *r, struct error *err)
{
    if (r->options.pages || r->tree.count < 2)
        return 0;
    choose_all(r);
    if (!r->cradle_count)
        return 0;
    _cleanup_free_ struct shadow *shadows = xcalloc(r->tree.count, sizeof(*shadows));
    struct nursing g = {r, shadows};
    int n = map_all(r, err);
    if (n == 0)
        n = compare_all(&g, err);
    if (n == 0)
        n = use(&g, err);
    for (size_t i = 0; i < r->tree.count; i++) {
        if (shadows[i].pages)
            munmap((void *)shadows[i].pages, shadows[i].size);
        free(shadows[i].same);
    }
    return n;
}

/* ---- in those who were born ---- */

const struct cradle *cradles_find(const struct restore *r, const struct task *t, uint64_t start,
                                  uint64_t end)
{
    const struct cradle *first = NULL;
    for (size_t i = 0; t->cradles && i < r->cradle_count; i++) {
        const struct cradle *c = &r->cradles[i];
        if (t->cradles[i] && c->start >= start && c->end <= end &&
            (!first || c->start < first->start))
            first = c;
    }
    return first;
}

static int room_for(struct batch *b, struct error *err)
{
    int n = batch_fits(b, 1, 0) ? 0 : batch_run(b, err);
    if (b->count == 0)
        batch_reset(b);
    return n;
}

int cradles_leave(const struct restore *r, const struct task *t, struct batch *b, struct error *err)
{
    int n = 0;
    if (!is_born_of_init(r, t))
        return 0;
    for (size_t i = 0; n == 0 && i < r->cradle_count; i++) {
        const struct cradle *c = &r->cradles[i];
        if (!c->made || (t->cradles && t->cradles[i]))
            continue;
        n = room_for(b, err);
        batch_call(b, "unmap memory", SYS_munmap, c->start, c->end - c->start);
    }
    return n < 0 ? n : batch_run(b, err);
}

int cradles_forget(const struct restore *r, const struct task *t, struct batch *b,
                   struct error *err)
{
    int n = 0;
    for (size_t i = 0; n == 0 && i < t->forgotten_count; i++) {
        n = room_for(b, err);
        batch_call(b, "empty memory", SYS_madvise, t->forgotten[i].start,
                   t->forgotten[i].count * PAGE, MADV_DONTNEED);
    }
    return n < 0 ? n : batch_run(b, err);
}
