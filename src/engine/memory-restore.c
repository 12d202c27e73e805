/* Building the address spaces: the kernel's mappings moved to where the dump had them, areas
 * mapped, and protected when they are filled. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/aio.h"
#include "engine/cradles.h"
#include "engine/hoard.h"
#include "engine/huge-pages.h"
#include "engine/kernel.h"
#include "engine/vma.h"

/* Flags of mmap(2) that the image keeps and that may be given as they are. */
#define MAP_KEEP                                                                                   \
    (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE | MAP_HUGETLB_BITS)

#define NO_HUGE_PAGES " of huge TLB pages (are there enough? see /proc/sys/vm/nr_hugepages)"

/* ---- shared anonymous memory ---- */

static int add_nursery_pages(struct restore *r, struct nursery *s, const PagemapEntry *e,
                             size_t *room)
{
    uint64_t pages = e->has_nr_pages ? e->nr_pages : e->compat_nr_pages;
    if (e->vaddr % PAGE || e->vaddr > s->size || pages > (s->size - e->vaddr) / PAGE)
        return -EINVAL;
    array_reserve(s->pages, s->page_range_count, *room);
    s->pages[s->page_range_count++] = (struct page_range){.start = e->vaddr, .count = pages};
    r->stats.pages_restored += pages;
    return 0;
}

static int read_nursery_pages(struct restore *r, struct nursery *s, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    int n = read_pagemap_head(r, IMAGE_PAGEMAP_SHMEM, s->shmid, &reader, &s->pages_id, err);
    size_t room = 0;
    while (n >= 0) {
        _cleanup_message_ PagemapEntry *e = NULL;
        n = image_next_as(reader, &pagemap_entry__descriptor, (void **)&e, err);
        if (n <= 0)
            break;
        if (add_nursery_pages(r, s, e, &room) < 0)
            n = image_error(reader, err, "pages at %#" PRIx64 " lie outside the memory", e->vaddr);
    }
    struct page_range *ranges = s->pages;
    s->pages = arena_memdup(r->arena, ranges, s->page_range_count * sizeof(*ranges));
    free(ranges);
    return n;
}

static void fill_nursery_later(struct restore *r, const struct nursery *s, pid_t pid)
{
    const struct filling f = {
        .pid = pid,
        .pages_id = s->pages_id,
        .ranges = s->pages,
        .count = s->page_range_count,
        .base = s->address,
    };
    restore_fill_later(r, &f);
}

int restore_nurseries(struct restore *r, struct error *err)
{
    struct puppet *p = &r->tree.tasks[0].threads[0].puppet;
    for (size_t i = 0; i < r->nursery_count; i++) {
        struct nursery *s = &r->nurseries[i];
        bool failed;
        uint64_t page = vma_page_size(s->huge);
        s->size = (s->size + page - 1) & ~(page - 1);
        long at = s->segment
                      ? puppet_call(p, &failed, err, SYS_shmat, s->shmid, s->address, 0, 0, 0, 0)
                      : puppet_call(p, &failed, err, SYS_mmap, s->address, s->size,
                                    PROT_READ | PROT_WRITE,
                                    s->huge | MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE |
                                        MAP_FIXED_NOREPLACE,
                                    (uint64_t)-1, 0);
        if (failed)
            return -err->code;
        if (at != (long)s->address)
            return error_errno(err, at < 0 ? (int)-at : EEXIST, "cannot make shared memory%s",
                               s->huge ? NO_HUGE_PAGES : "");
        int n = read_nursery_pages(r, s, err);
        if (n < 0)
            return n;
        fill_nursery_later(r, s, r->init);
    }
    return 0;
}

/* Only real root may open the memory of another process. Without, a process that had come by exec
 * gets its own: shared memory without a name goes from parent to child, so what it had init had
 * not. */
static int make_own(struct maker *m, const struct nursery *s, struct error *err)
{
    batch_reset(m->batch);
    int64_t at = maker_call(
        m, err, "make shared memory", SYS_mmap, s->address, s->size, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0);
    if (at < 0)
        return (int)at;
    fill_nursery_later(m->restore, s, m->task->pid);
    return 0;
}

static int bring(struct maker *m, const struct nursery *s, struct error *err)
{
    char path[128];
    int64_t at;
    if (s->segment) {
        at = maker_call(m, err, "attach shared memory", SYS_shmat, s->shmid, s->address, 0);
        return at < 0 ? (int)at : 0;
    }
    snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
             m->restore->tree.tasks[0].vpid, s->address, s->address + s->size);
    int fd = maker_open(m, path, O_RDWR, err);
    if (fd < 0)
        return fd == -EPERM ? make_own(m, s, err) : fd;
    batch_reset(m->batch);
    at = maker_call(m, err, "map shared memory", SYS_mmap, s->address, s->size,
                    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, (uint64_t)fd, 0);
    maker_call(m, NULL, "close a file", SYS_close, (uint64_t)fd);
    return at < 0 ? (int)at : 0;
}

int nurseries_bring(struct restore *r, struct task *t, struct error *err)
{
    if (!r->nursery_count)
        return 0;
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    struct maker m = {.restore = r, .task = t, .batch = b};
    batch_start(b, &t->threads[0].puppet);
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->nursery_count; i++) {
        batch_reset(b);
        n = bring(&m, &r->nurseries[i], err);
    }
    batch_free(b);
    return n;
}

/* The plan has checked that there is one. */
static const struct nursery *nursery_of(const struct restore *r, const VmaEntry *v)
{
    const struct nursery *s = r->nurseries;
    while (s->shmid != v->shmid || s->segment != !!(v->status & VMA_SYSVIPC))
        s++;
    return s;
}

/* ---- the kernel's mappings ---- */

static const VmaEntry *dumped_vdso(const struct task *t)
{
    for (size_t i = 0; i < t->mm->n_vmas; i++)
        if (t->mm->vmas[i]->status & VMA_VDSO)
            return t->mm->vmas[i];
    return NULL;
}

/* The vdso reads its data at a fixed distance, so all of the kernel's mappings move together: first
 * out of the way, then so that the vdso comes to lie where the dump had it. */
static int move_kernel_mappings(struct restore *r, struct task *t, struct batch *b,
                                struct error *err)
{
    struct vma_list *list;
    const VmaEntry *wanted = dumped_vdso(t);
    int n = vma_list_read_plain(t->pid, &list, err);
    if (n < 0)
        return n;
    remote_addr first = 0, last = 0, vdso_size = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct vma *v = &list->areas[i];
        if (!vma_is_kernel(v->name) || string_equal(v->name, "[vsyscall]"))
            continue;
        first = first ? first : v->start;
        last = v->end;
        vdso_size = v->start == list->vdso ? v->end - v->start : vdso_size;
        batch_call(b, "move the vdso", SYS_mremap, v->start, v->end - v->start, v->end - v->start,
                   MREMAP_MAYMOVE | MREMAP_FIXED, ground_vdso(r) + (v->start - first));
    }
    for (size_t i = 0; wanted && i < list->count; i++) {
        const struct vma *v = &list->areas[i];
        if (!vma_is_kernel(v->name) || string_equal(v->name, "[vsyscall]"))
            continue;
        batch_call(b, "move the vdso to where it was", SYS_mremap,
                   ground_vdso(r) + (v->start - first), v->end - v->start, v->end - v->start,
                   MREMAP_MAYMOVE | MREMAP_FIXED, wanted->start + (v->start - list->vdso));
    }
    uint64_t size = last - first;
    vma_list_free(list);
    if (size > 1u << 20 || (wanted && wanted->end - wanted->start != vdso_size))
        return error_set(err, ENOTSUP,
                         "the vdso of this kernel differs from the one the checkpoint was made "
                         "with: restore it under the same kernel");
    return batch_run(b, err);
}

/* The last system call of the puppet unmaps the stage and must come from elsewhere. */
static int find_vdso_insn(struct task *t, struct error *err)
{
    const VmaEntry *v = dumped_vdso(t);
    if (!v)
        return error_set(err, ENOTSUP, "process %d of the checkpoint has no vdso", t->vpid);
    return vdso_find_syscall(t->pid, v->start, &t->threads[0].puppet.insn, err);
}

/* ---- areas ---- */

struct builder {
    struct restore *r;
    struct task *t;
    struct batch *b;
    uint32_t file_id; /* the file that is open in the puppet, for a run of areas */
    uint32_t file_flags;
    int fd;
    size_t range; /* see has_content */
    struct error *err;
};

static int run(struct builder *w)
{
    int n = batch_run(w->b, w->err);
    batch_reset(w->b);
    return n;
}

static int room_for(struct builder *w, size_t calls)
{
    return batch_fits(w->b, calls, 8192) ? 0 : run(w);
}

static int close_file(struct builder *w)
{
    if (w->fd >= 0)
        batch_call(w->b, "close a mapped file", SYS_close, (uint64_t)w->fd);
    w->fd = -1;
    return 0;
}

static int open_file(struct builder *w, uint32_t id, uint32_t flags)
{
    if (w->fd >= 0 && w->file_id == id && w->file_flags == flags)
        return 0;
    close_file(w);
    int n = run(w);
    if (n < 0)
        return n;
    struct maker m = {.restore = w->r, .task = w->t, .batch = w->b};
    w->fd = maker_open_file(&m, restore_file(w->r, id), flags, w->err);
    w->file_id = id;
    w->file_flags = flags;
    batch_reset(w->b);
    return w->fd < 0 ? w->fd : 0;
}

static uint32_t mapping_flags(const VmaEntry *v)
{
    return (v->status & VMA_FILE_SHARED) && v->has_fdflags && (v->fdflags & O_ACCMODE) == O_RDWR
               ? O_RDWR
               : O_RDONLY;
}

/* Areas are asked for in ascending order. */
static bool has_content(struct builder *w, const VmaEntry *v)
{
    const struct task *t = w->t;
    while (w->range < t->page_range_count &&
           t->pages[w->range].start + t->pages[w->range].count * PAGE <= v->start)
        w->range++;
    return w->range < t->page_range_count && t->pages[w->range].start < v->end;
}

/* Huge TLB pages cannot be mapped again by mremap(2), only by their file. */
static int map_shared_huge(struct builder *w, const VmaEntry *v)
{
    const struct nursery *s = nursery_of(w->r, v);
    int n = run(w);
    if (n < 0)
        return n;
    struct maker m = {.restore = w->r, .task = w->t, .batch = w->b};
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, s->address,
             s->address + s->size);
    int fd = maker_open(&m, path, O_RDWR, w->err);
    if (fd < 0)
        return fd;
    batch_reset(w->b);
    batch_call(w->b, "map shared memory", SYS_mmap, v->start, v->end - v->start, v->prot,
               MAP_SHARED | MAP_FIXED_NOREPLACE, (uint64_t)fd, v->pgoff);
    batch_call(w->b, "close a file", SYS_close, (uint64_t)fd);
    return 0;
}

static int map_around_cradles(struct builder *w, const VmaEntry *v, uint64_t prot, uint64_t flags)
{
    const char *what = flags & MAP_HUGETLB ? "map memory" NO_HUGE_PAGES : "map its memory";
    int n = 0;
    for (uint64_t at = v->start; n == 0 && at < v->end;) {
        const struct cradle *c = cradles_find(w->r, w->t, at, v->end);
        uint64_t end = c ? c->start : v->end;
        n = room_for(w, 1);
        if (end > at)
            batch_call(w->b, what, SYS_mmap, at, end - at, prot, flags | MAP_FIXED_NOREPLACE,
                       (uint64_t)-1, 0);
        at = c ? c->end : end;
    }
    return n;
}

static int map_area(struct builder *w, const VmaEntry *v)
{
    uint64_t size = v->end - v->start;
    int n = room_for(w, 4);
    if (n < 0)
        return n;
    if (v->status & VMA_ANON_SHARED && v->flags & MAP_HUGETLB)
        return map_shared_huge(w, v);
    if (v->status & VMA_ANON_SHARED) {
        /* Old size 0: a second mapping of the same memory, see mremap(2). */
        batch_call(w->b, "map shared memory", SYS_mremap, nursery_of(w->r, v)->address + v->pgoff,
                   0, size, MREMAP_MAYMOVE | MREMAP_FIXED, v->start);
        batch_call(w->b, "protect shared memory", SYS_mprotect, v->start, size, v->prot);
        return 0;
    }
    uint64_t prot = v->prot, flags = v->flags & MAP_KEEP, fd = (uint64_t)-1, offset = 0;
    if (v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)) {
        n = open_file(w, (uint32_t)v->shmid, mapping_flags(v));
        fd = (uint64_t)w->fd;
        offset = v->pgoff;
        flags &= ~(uint64_t)MAP_ANONYMOUS;
    }
    /* For filling; protected afterwards. Not what has no content: a reservation of more than there
     * is would be refused as memory. */
    if (has_content(w, v))
        prot |= PROT_READ | PROT_WRITE;
    if (v->status & VMA_ANON_PRIVATE)
        return map_around_cradles(w, v, prot, flags);
    batch_call(w->b, "map its memory", SYS_mmap, v->start, size, prot, flags | MAP_FIXED_NOREPLACE,
               fd, offset);
    return n;
}

static int map_areas(struct builder *w)
{
    int n = 0;
    for (size_t i = 0; n == 0 && i < w->t->mm->n_vmas; i++) {
        const VmaEntry *v = w->t->mm->vmas[i];
        if (!(v->status & (VMA_VDSO | VMA_VVAR | VMA_AIO)))
            n = map_area(w, v);
    }
    close_file(w);
    return n < 0 ? n : run(w);
}

static int finish_area(struct builder *w, const VmaEntry *v)
{
    uint64_t size = v->end - v->start;
    int n = room_for(w, 66);
    if (n < 0)
        return n;
    if (has_content(w, v) && (v->prot & (PROT_READ | PROT_WRITE)) != (PROT_READ | PROT_WRITE))
        batch_call(w->b, "protect its memory", SYS_mprotect, v->start, size, v->prot);
    for (uint64_t advice = 0; v->has_madv && advice < 64; advice++)
        if (v->madv & 1ull << advice)
            batch_try(w->b, SYS_madvise, v->start, size, advice);
    if (v->flags & MAP_LOCKED)
        batch_call(w->b, "lock its memory", SYS_mlock, v->start, size);
    return 0;
}

/* Only what is there, and what will be: mlock2(2). */
static int lock_on_fault(struct builder *w)
{
    const struct json *extra = extra_find(w->r->extra, "processes", (uint64_t)w->t->vpid);
    const struct json *areas = js_get(extra, "lockedOnFault");
    int n = 0;
    for (size_t i = 0; n == 0 && i < js_count(areas); i++) {
        uint64_t start = (uint64_t)js_get_int(js_at(areas, i), "start", 0);
        uint64_t end = (uint64_t)js_get_int(js_at(areas, i), "end", 0);
        n = room_for(w, 1);
        batch_call(w->b, "lock its memory", SYS_mlock2, start, end - start, MLOCK_ONFAULT);
    }
    return n;
}

static int finish_areas(struct builder *w)
{
    int n = 0;
    w->range = 0;
    for (size_t i = 0; n == 0 && i < w->t->mm->n_vmas; i++) {
        const VmaEntry *v = w->t->mm->vmas[i];
        if (!(v->status & (VMA_VDSO | VMA_VVAR)))
            n = finish_area(w, v);
    }
    for (size_t i = 0; n == 0 && i < w->t->guard_count; i++) {
        n = room_for(w, 1);
        batch_call(w->b, "guard its memory", SYS_madvise, w->t->guards[i].start,
                   w->t->guards[i].count * PAGE, FIRN_MADV_GUARD_INSTALL);
    }
    if (n == 0)
        n = lock_on_fault(w);
    for (size_t i = 0; n == 0 && i < w->r->nursery_count; i++) {
        n = room_for(w, 1);
        batch_try(w->b, SYS_munmap, w->r->nurseries[i].address, w->r->nurseries[i].size);
    }
    return n < 0 ? n : run(w);
}

/* ---- mm fields ---- */

/* Also changes what /proc/PID/exe is; refused while anything of the old program is mapped. */
static int set_mm(struct builder *w)
{
    const MmEntry *mm = w->t->mm;
    uint64_t auxv[64] = {0};
    if (mm->n_mm_saved_auxv > ARRAY_LEN(auxv))
        return error_set(w->err, EINVAL, "the checkpoint's auxv of process %d is too long",
                         w->t->vpid);
    memcpy(auxv, mm->mm_saved_auxv, mm->n_mm_saved_auxv * sizeof(auxv[0]));
    int n = open_file(w, mm->exe_file_id, O_RDONLY);
    if (n < 0)
        return n;
    struct prctl_mm_map map = {
        .start_code = mm->mm_start_code,
        .end_code = mm->mm_end_code,
        .start_data = mm->mm_start_data,
        .end_data = mm->mm_end_data,
        .start_brk = mm->mm_start_brk,
        .brk = mm->mm_brk,
        .start_stack = mm->mm_start_stack,
        .arg_start = mm->mm_arg_start,
        .arg_end = mm->mm_arg_end,
        .env_start = mm->mm_env_start,
        .env_end = mm->mm_env_end,
        .auxv = (void *)batch_data(w->b, auxv, mm->n_mm_saved_auxv * sizeof(auxv[0])),
        .auxv_size = (uint32_t)(mm->n_mm_saved_auxv * sizeof(auxv[0])),
        .exe_fd = (uint32_t)w->fd,
    };
    batch_call(w->b, "set the layout of its memory", SYS_prctl, PR_SET_MM, PR_SET_MM_MAP,
               batch_data(w->b, &map, sizeof(map)), sizeof(map), 0);
    close_file(w);
    return run(w);
}

static int map(struct restore *r, struct task *t, struct batch *b, struct error *err)
{
    if (t->shared[SHARE_MEMORY])
        return find_vdso_insn(t, err);
    struct builder w = {.r = r, .t = t, .b = b, .fd = -1, .err = err};
    batch_start(b, &t->threads[0].puppet);
    int n = cradles_leave(r, t, b, err);
    batch_reset(b);
    if (n == 0)
        n = set_mm(&w);
    if (n == 0)
        n = move_kernel_mappings(r, t, b, err);
    batch_reset(b);
    if (n == 0)
        n = find_vdso_insn(t, err);
    if (n == 0)
        n = map_areas(&w);
    if (n == 0)
        n = cradles_forget(r, t, b, err);
    batch_reset(b);
    if (n == 0)
        n = huge_pages_prepare(r, t, b, err);
    if (n == 0)
        n = aio_restore(r, t, b, err);
    batch_free(b);
    return n < 0 ? error_wrap(err, "process %d", t->vpid) : 0;
}

static int finish(struct restore *r, struct task *t, struct batch *b, struct error *err)
{
    struct builder w = {.r = r, .t = t, .b = b, .fd = -1, .err = err};
    batch_start(b, &t->threads[0].puppet);
    int n = finish_areas(&w);
    batch_free(b);
    return n < 0 ? error_wrap(err, "process %d", t->vpid) : 0;
}

static int each_task(struct restore *r,
                     int (*step)(struct restore *, struct task *, struct batch *, struct error *),
                     struct error *err)
{
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->tree.count; i++)
        if (r->tree.tasks[i].state != TASK_ZOMBIE)
            n = step(r, &r->tree.tasks[i], b, err);
    return n;
}

static void fill_task_later(struct restore *r, const struct task *t)
{
    const struct filling f = {
        .pid = t->pid,
        .pages_id = t->pages_id,
        .ranges = t->pages,
        .count = t->page_range_count,
    };
    restore_fill_later(r, &f);
}

int restore_map_memory(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < r->tree.count; i++)
        if (r->tree.tasks[i].state != TASK_ZOMBIE)
            fill_task_later(r, &r->tree.tasks[i]);
    return each_task(r, map, err);
}

int restore_finish_memory(struct restore *r, struct error *err)
{
    return each_task(r, finish, err);
}
