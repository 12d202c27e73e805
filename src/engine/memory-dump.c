/* The memory of the processes: the map, which pages carry content, and the content. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/aio.h"
#include "engine/huge-pages.h"
#include "engine/kernel.h"

#define CHUNK  (1u << 20)
#define RANGES 512

enum { PAGEMAP_PRESENT = 4 };

/* ---- the map ---- */

/* System V segments have the numbers below. */
#define FIRST_INODE_ID (1ull << 31)

uint32_t shared_memory_note(struct dump *d, ino_t ino, const char *place)
{
    uint32_t id = (uint32_t)(ino | FIRST_INODE_ID);
    for (size_t i = 0; i < d->shared_count; i++)
        if (d->shared[i].id == id)
            return id;
    array_reserve(d->shared, d->shared_count, d->shared_room);
    d->shared[d->shared_count++] = (struct shared_memory){.id = id, .place = place, .fd = -1};
    return id;
}

static const char *map_file(struct dump *d, const struct task *t, const struct vma *v)
{
    return arena_printf(d->arena, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, t->pid, v->start,
                        v->end);
}

static int vma_file(struct dump *d, struct task *t, const struct vma *v, uint32_t *ret_id,
                    struct error *err)
{
    char link[64];
    snprintf(link, sizeof(link), "map_files/%" PRIx64 "-%" PRIx64, v->start, v->end);
    uint32_t flags = v->flags & MAP_SHARED && v->prot & PROT_WRITE ? O_RDWR : O_RDONLY;
    return dump_path(d, t, link, flags, ret_id, err);
}

static void note_area(struct json *process, const char *list, const struct vma *v, const char *name)
{
    struct json *o = js_object();
    js_set(o, "start", js_int((int64_t)v->start));
    js_set(o, "end", js_int((int64_t)v->end));
    if (name)
        js_set(o, "name", js_string(name));
    if (!js_get(process, list))
        js_set(process, list, js_array());
    js_push(js_get(process, list), o);
}

/* What CRIU's images have no place for. */
static void note_extra(struct dump *d, const struct task *t, const struct vma *v)
{
    const char *name = string_after(v->name, "[anon:");
    if (!name)
        name = string_after(v->name, "[anon_shmem:");
    if (name && string_ends(name, "]"))
        note_area(extra_of(d->extra, "processes", (uint64_t)t->vpid), "names", v,
                  arena_printf(d->arena, "%.*s", (int)strlen(name) - 1, name));
    if (v->on_fault)
        note_area(extra_of(d->extra, "processes", (uint64_t)t->vpid), "lockedOnFault", v, NULL);
    if (v->sealed)
        note_area(extra_of(d->extra, "processes", (uint64_t)t->vpid), "sealed", v, NULL);
}

static int add_vma(struct dump *d, struct task *t, const struct vma *v, VmaEntry *e,
                   struct error *err)
{
    vma_entry__init(e);
    e->start = v->start, e->end = v->end, e->pgoff = v->offset;
    e->prot = v->prot, e->flags = v->flags, e->status = v->status;
    e->fd = -1;
    if (v->refusal)
        return dump_refuse(d, t, "uses %s at %#" PRIx64 "%s%s, which firn cannot save yet",
                           v->refusal, v->start, *v->name ? " " : "", v->name);
    note_extra(d, t, v);
    e->has_madv = v->madvice != 0;
    e->madv = v->madvice;
    if (v->status & VMA_ANON_SHARED) {
        /* The inode of a segment is its id; ipc.h saves its content. */
        e->shmid =
            v->status & VMA_SYSVIPC ? v->ino : shared_memory_note(d, v->ino, map_file(d, t, v));
        return 0;
    }
    if (v->status & VMA_AIO)
        return aio_dump(d, t, v, err);
    if (!(v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED)))
        return 0;
    uint32_t id = 0;
    int r = vma_file(d, t, v, &id, err);
    e->shmid = id;
    e->has_fdflags = v->status & VMA_FILE_SHARED;
    e->fdflags = v->prot & PROT_WRITE ? O_RDWR : O_RDONLY;
    return r;
}

/* The fields of /proc/PID/stat that PR_SET_MM_MAP wants back. */
static int fill_mm(struct dump *d, struct task *t, struct error *err)
{
    MmEntry *mm = t->mm;
    const struct process_stat *s = &t->stat;
    mm->mm_start_code = s->start_code, mm->mm_end_code = s->end_code;
    mm->mm_start_data = s->start_data, mm->mm_end_data = s->end_data;
    mm->mm_start_stack = s->start_stack, mm->mm_start_brk = s->start_brk;
    mm->mm_arg_start = s->arg_start, mm->mm_arg_end = s->arg_end;
    mm->mm_env_start = s->env_start, mm->mm_env_end = s->env_end;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/auxv", t->pid);
    _cleanup_buf_ struct buf auxv = {0};
    int r = file_read(path, &auxv, err);
    if (r < 0)
        return error_wrap(err, "process %d of container %s", t->vpid, d->options.name);
    mm->n_mm_saved_auxv = auxv.size / sizeof(uint64_t);
    mm->mm_saved_auxv = arena_memdup(d->arena, auxv.data, auxv.size);
    return dump_path(d, t, "exe", O_RDONLY, &mm->exe_file_id, err);
}

int dump_memory_map(struct dump *d, struct task *t, struct error *err)
{
    struct vma_list *list = NULL;
    int r = fill_mm(d, t, err);
    if (r == 0)
        r = vma_list_read(t->pid, t->vpid, &list, err);
    if (r < 0)
        return r;
    t->mm->vmas = arena_array_of(d->arena, VmaEntry *, list->count);
    VmaEntry *entries = arena_array_of(d->arena, VmaEntry, list->count);
    for (size_t i = 0; r == 0 && i < list->count; i++) {
        if (list->areas[i].status & VMA_VSYSCALL)
            continue;
        t->mm->vmas[t->mm->n_vmas++] = &entries[i];
        r = dump_refuse_error(d, add_vma(d, t, &list->areas[i], &entries[i], err), err);
    }
    if (r == 0)
        r = vdso_find_syscall(t->pid, list->vdso, &t->threads[0].puppet.insn, err);
    t->vdso_end = list ? list->vdso_end : 0;
    vma_list_free(list);
    return r;
}

/* ---- which pages ---- */

struct page_scan {
    struct dump *d;
    struct task *t;
    size_t room;
    bool readable, unforked; /* the area that is looked at */
    struct page_range *ranges;
    struct pm_scan_range *guards;
    size_t guard_count, guard_room;
};

static void add_range(struct page_scan *s, uint64_t start, uint64_t end)
{
    struct page_range *last =
        s->t->page_range_count ? &s->ranges[s->t->page_range_count - 1] : NULL;
    if (last && last->start + last->count * PAGE == start && last->readable == s->readable &&
        last->unforked == s->unforked) {
        last->count += (end - start) / PAGE;
        return;
    }
    array_reserve(s->ranges, s->t->page_range_count, s->room);
    s->ranges[s->t->page_range_count++] = (struct page_range){.start = start,
                                                              .count = (end - start) / PAGE,
                                                              .readable = s->readable,
                                                              .unforked = s->unforked};
}

/* Pages that carry content of the process's own: in memory or swapped, not the zero page, not a
 * clean page of a file. */
static int scan_ioctl(struct page_scan *s, int fd, const VmaEntry *v, uint64_t guard)
{
    struct pm_scan_range found[512];
    uint64_t none = PM_SCAN_PAGE_FILE | PM_SCAN_PAGE_PFNZERO | guard;
    struct pm_scan_request q = {
        .size = sizeof(q),
        .start = v->start,
        .end = v->end,
        .vec = (uint64_t)(uintptr_t)found,
        .vec_len = ARRAY_LEN(found),
        .category_inverted = none,
        .category_mask = none,
        .category_anyof_mask = PM_SCAN_PAGE_PRESENT | PM_SCAN_PAGE_SWAPPED,
        .return_mask = PM_SCAN_PAGE_HUGE,
    };
    while (q.start < v->end) {
        int n = ioctl(fd, PAGEMAP_SCAN_IOCTL, &q);
        if (n < 0)
            return -errno;
        for (int i = 0; i < n; i++) {
            add_range(s, found[i].start, found[i].end);
            if (found[i].categories & PM_SCAN_PAGE_HUGE && !(v->flags & MAP_HUGETLB))
                huge_pages_note(extra_of(s->d->extra, "processes", (uint64_t)s->t->vpid),
                                found[i].start, found[i].end);
        }
        if (q.walk_end <= q.start)
            break;
        q.start = q.walk_end;
    }
    return 0;
}

/* Pages that kill who touches them (MADV_GUARD_INSTALL). */
static int scan_guards(struct page_scan *s, int fd, const VmaEntry *v)
{
    struct pm_scan_range found[64];
    struct pm_scan_request q = {
        .size = sizeof(q),
        .start = v->start,
        .end = v->end,
        .vec = (uint64_t)(uintptr_t)found,
        .vec_len = ARRAY_LEN(found),
        .category_mask = PM_SCAN_PAGE_GUARD,
        .return_mask = PM_SCAN_PAGE_GUARD,
    };
    while (q.start < v->end) {
        int n = ioctl(fd, PAGEMAP_SCAN_IOCTL, &q);
        if (n < 0)
            return -errno;
        for (int i = 0; i < n; i++) {
            array_reserve(s->guards, s->guard_count, s->guard_room);
            s->guards[s->guard_count++] = found[i];
        }
        if (q.walk_end <= q.start)
            break;
        q.start = q.walk_end;
    }
    return 0;
}

static void add_guards(struct page_scan *s)
{
    MmEntry *mm = s->t->mm;
    VmaEntry **all = arena_array_of(s->d->arena, VmaEntry *, mm->n_vmas + s->guard_count);
    VmaEntry *guards = arena_array_of(s->d->arena, VmaEntry, s->guard_count);
    memcpy(all, mm->vmas, mm->n_vmas * sizeof(*all));
    for (size_t i = 0; i < s->guard_count; i++) {
        vma_entry__init(&guards[i]);
        guards[i].start = s->guards[i].start;
        guards[i].end = s->guards[i].end;
        guards[i].status = VMA_GUARD;
        guards[i].fd = -1;
        all[mm->n_vmas++] = &guards[i];
    }
    mm->vmas = all;
    free(s->guards);
}

/* For kernels before 6.7: one 64-bit word a page (Documentation/admin-guide/mm/pagemap.rst).
 * Zero pages look like others here and are written. */
static int scan_words(struct page_scan *s, int fd, const VmaEntry *v)
{
    uint64_t words[512];
    for (uint64_t at = v->start; at < v->end;) {
        uint64_t count = (v->end - at) / PAGE;
        count = count < ARRAY_LEN(words) ? count : ARRAY_LEN(words);
        ssize_t n = pread(fd, words, count * 8, (off_t)(at / PAGE * 8));
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        for (ssize_t i = 0; i < n / 8; i++, at += PAGE) {
            bool present = words[i] >> 62 & 3, file = words[i] >> 61 & 1;
            if (present && !file)
                add_range(s, at, at + PAGE);
        }
    }
    return 0;
}

int dump_find_pages(struct dump *d, struct task *t, struct error *err)
{
    if (t->state == TASK_ZOMBIE || t->shared[SHARE_MEMORY])
        return 0;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/pagemap", t->pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot read the page map of process %d", t->vpid);
    struct page_scan s = {.d = d, .t = t};
    for (size_t i = 0; i < t->mm->n_vmas; i++) {
        const VmaEntry *v = t->mm->vmas[i];
        d->stats.pages_scanned += (v->end - v->start) / PAGE;
        if (!(v->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE)) ||
            v->status & (VMA_VDSO | VMA_VVAR))
            continue;
        s.readable = v->prot & PROT_READ;
        s.unforked = v->madv & (1ull << MADV_DONTFORK | 1ull << MADV_WIPEONFORK);
        /* Kernels before 6.13 know no guard pages. */
        int r = scan_guards(&s, fd, v);
        r = scan_ioctl(&s, fd, v, r < 0 ? 0 : PM_SCAN_PAGE_GUARD);
        if (r == -ENOTTY || r == -EINVAL)
            r = scan_words(&s, fd, v);
        if (r < 0) {
            free(s.ranges);
            free(s.guards);
            return error_errno(err, -r, "cannot find the pages of process %d", t->vpid);
        }
    }
    add_guards(&s);
    t->pages = arena_memdup(d->arena, s.ranges, t->page_range_count * sizeof(*s.ranges));
    free(s.ranges);
    for (size_t i = 0; i < t->page_range_count; i++)
        d->stats.pages_written += t->pages[i].count;
    return 0;
}

/* ---- the content ---- */

static int write_pagemap(struct dump *d, uint64_t number, enum image_kind kind, uint32_t pages_id,
                         const struct page_range *ranges, size_t count, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(kind, number);
    PagemapHead head = PAGEMAP_HEAD__INIT;
    head.pages_id = pages_id;
    image_writer_add(w, &head);
    for (size_t i = 0; i < count; i++) {
        PagemapEntry e = PAGEMAP_ENTRY__INIT;
        e.vaddr = ranges[i].start;
        e.compat_nr_pages = (uint32_t)ranges[i].count;
        e.has_nr_pages = true;
        e.nr_pages = ranges[i].count;
        e.has_flags = true;
        e.flags = PAGEMAP_PRESENT;
        image_writer_add(w, &e);
    }
    return image_writer_put(w, d->sink, err);
}

/* Collects ranges, however small, until there is enough for one copy out of the process. */
struct gatherer {
    struct dump *d;
    const struct task *t;
    pid_t pid; /* who is read: the process, or its twin */
    char *buffer;
    struct iovec remote[RANGES];
    size_t count, size;
    bool forced; /* some of it may not be read by the process itself */
};

static int read_by_mem(const struct gatherer *g)
{
    char path[64], *to = g->buffer;
    snprintf(path, sizeof(path), "/proc/%d/mem", g->pid);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (size_t i = 0; i < g->count; i++) {
        size_t size = g->remote[i].iov_len;
        ssize_t n = pread(fd, to, size, (off_t)(uintptr_t)g->remote[i].iov_base);
        if (n != (ssize_t)size)
            return n < 0 ? -errno : -EIO;
        to += size;
    }
    return 0;
}

/* process_vm_readv(2) is faster, but it pins pages, and of a page that is still shared since a fork
 * the kernel makes a copy for whoever is pinned (mm/gup.c, gup_must_unshare): reading a family that
 * way would multiply its memory. */
static int read_gathered(const struct gatherer *g)
{
    struct iovec local = {g->buffer, g->size};
    bool family = g->t->twin || g->d->tree.count > 1;
    if (!g->forced && !family &&
        process_vm_readv(g->pid, &local, 1, g->remote, g->count, 0) == (ssize_t)g->size)
        return 0;
    return read_by_mem(g);
}

static int flush(struct gatherer *g, struct error *err)
{
    struct dump *d = g->d;
    if (!g->size)
        return 0;
    int r = read_gathered(g);
    if (r < 0)
        return error_errno(err, -r, "cannot read the memory of process %d at %p", g->t->vpid,
                           g->remote[0].iov_base);
    r = sink_write(d->sink, g->buffer, g->size, err);
    if (r < 0)
        return r;
    d->bytes_written += g->size;
    if (d->options.progress)
        d->options.progress(d->options.context, d->bytes_written, d->stats.pages_written * PAGE);
    g->count = g->size = 0;
    g->forced = false;
    return dump_cancelled(d, err) ? -ECANCELED : 0;
}

static int gather(struct gatherer *g, const struct page_range *range, struct error *err)
{
    uint64_t at = range->start, left = range->count * PAGE;
    int r = 0;
    while (r == 0 && left) {
        size_t step = CHUNK - g->size < left ? CHUNK - g->size : left;
        g->remote[g->count++] = (struct iovec){(void *)at, step};
        g->forced = g->forced || !range->readable;
        g->size += step;
        at += step;
        left -= step;
        if (g->size == CHUNK || g->count == RANGES)
            r = flush(g, err);
    }
    return r;
}

static int put_kept(struct gatherer *g, const struct page_range *range, struct error *err)
{
    int r = flush(g, err);
    return r < 0 ? r : sink_write(g->d->sink, range->kept, range->count * PAGE, err);
}

int dump_write_pages(struct dump *d, struct task *t, struct error *err)
{
    if (t->state == TASK_ZOMBIE)
        return 0;
    uint64_t total = 0;
    for (size_t i = 0; i < t->page_range_count; i++)
        total += t->pages[i].count;
    char name[IMAGE_NAME_MAX];
    int r =
        sink_begin(d->sink, image_name(IMAGE_PAGES, t->pages_id, name), total * PAGE, 0600, err);
    _cleanup_free_ char *buffer = xmalloc(CHUNK);
    _cleanup_free_ struct gatherer *g = xcalloc(1, sizeof(*g));
    *g = (struct gatherer){.d = d, .t = t, .pid = t->twin ? t->twin : t->pid, .buffer = buffer};
    for (size_t i = 0; r == 0 && i < t->page_range_count; i++)
        r = t->pages[i].kept ? put_kept(g, &t->pages[i], err) : gather(g, &t->pages[i], err);
    if (r == 0)
        r = flush(g, err);
    return r < 0 ? r : sink_end(d->sink, err);
}

/* ---- shared anonymous memory: through its file, wherever it is mapped ---- */

static int copy_area(int memory, const VmaEntry *v, int to)
{
    static const char zeros[PAGE];
    char page[PAGE];
    for (uint64_t at = v->start; at < v->end; at += PAGE) {
        ssize_t n = pread(memory, page, PAGE, (off_t)at);
        if (n != (ssize_t)PAGE || memcmp(page, zeros, PAGE) == 0)
            continue; /* beyond the end of the object, or nothing */
        int r = pwrite_full(to, page, PAGE, (off_t)(v->pgoff + at - v->start));
        if (r < 0)
            return r;
    }
    return 0;
}

/* Only real root may open the file of a mapping. Without, what is mapped anywhere is put together
 * from the memory of those who have it. */
static int copy_from_holders(const struct dump *d, const struct shared_memory *m)
{
    _cleanup_close_ int copy = memfd_create("shared", MFD_CLOEXEC);
    int r = copy < 0 ? -errno : 0;
    for (size_t i = 0; r == 0 && i < d->tree.count; i++) {
        const struct task *t = &d->tree.tasks[i];
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/mem", t->pid);
        _cleanup_close_ int memory = t->mm ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        for (size_t j = 0; r == 0 && memory >= 0 && j < t->mm->n_vmas; j++) {
            const VmaEntry *v = t->mm->vmas[j];
            if (v->status & VMA_ANON_SHARED && v->shmid == m->id)
                r = copy_area(memory, v, copy);
        }
    }
    errno = -r;
    return r < 0 ? -1 : take_fd(copy);
}

static int find_shared_pages(int fd, struct page_range **ret, size_t *ret_count)
{
    size_t room = 0;
    *ret = NULL;
    *ret_count = 0;
    for (off_t at = 0;;) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0)
            return errno == ENXIO ? 0 : -errno;
        off_t hole = lseek(fd, data, SEEK_HOLE);
        if (hole < 0)
            return -errno;
        hole = (off_t)(((uint64_t)hole + PAGE - 1) & ~(PAGE - 1));
        array_reserve(*ret, *ret_count, room);
        (*ret)[(*ret_count)++] =
            (struct page_range){(uint64_t)data, (uint64_t)(hole - data) / PAGE, true};
        at = hole;
    }
}

static int copy_shared(struct dump *d, int fd, const struct page_range *ranges, size_t count,
                       struct error *err)
{
    _cleanup_free_ char *buffer = xmalloc(CHUNK);
    for (size_t i = 0; i < count; i++) {
        uint64_t at = ranges[i].start, end = at + ranges[i].count * PAGE;
        while (at < end) {
            size_t step = end - at < CHUNK ? end - at : CHUNK;
            memset(buffer, 0, step);
            ssize_t n = pread(fd, buffer, step, (off_t)at);
            if (n < 0)
                return error_errno(err, errno, "cannot read shared memory");
            int r = sink_write(d->sink, buffer, step, err);
            if (r < 0)
                return r;
            at += step;
        }
    }
    return 0;
}

static int find_one_shared(struct dump *d, struct shared_memory *m, struct error *err)
{
    if (m->fd < 0)
        m->fd = open(m->place, O_RDONLY | O_CLOEXEC);
    if (m->fd < 0 && errno == EPERM)
        m->fd = copy_from_holders(d, m);
    if (m->fd < 0)
        return error_errno(err, errno, "cannot open shared memory (%s)", m->place);
    int r = find_shared_pages(m->fd, &m->pages, &m->range_count);
    if (r < 0)
        return error_errno(err, -r, "cannot read shared memory");
    for (size_t i = 0; i < m->range_count; i++)
        m->page_count += m->pages[i].count;
    d->stats.pages_written += m->page_count;
    return 0;
}

int dump_find_shared_pages(struct dump *d, struct error *err)
{
    for (size_t i = 0; i < d->shared_count; i++) {
        int r = find_one_shared(d, &d->shared[i], err);
        if (r < 0)
            return r;
    }
    return 0;
}

int dump_write_shared_pages(struct dump *d, struct error *err)
{
    for (size_t i = 0; i < d->shared_count; i++) {
        struct shared_memory *m = &d->shared[i];
        char name[IMAGE_NAME_MAX];
        int r = sink_begin(d->sink, image_name(IMAGE_PAGES, m->pages_id, name),
                           m->page_count * PAGE, 0600, err);
        if (r == 0)
            r = copy_shared(d, m->fd, m->pages, m->range_count, err);
        if (r == 0)
            r = sink_end(d->sink, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- page maps ---- */

int dump_write_pagemaps(struct dump *d, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->tree.count; i++) {
        struct task *t = &d->tree.tasks[i];
        if (t->state == TASK_ZOMBIE)
            continue;
        t->pages_id = ++d->next_pages_id;
        r = write_pagemap(d, (uint64_t)t->vpid, IMAGE_PAGEMAP, t->pages_id, t->pages,
                          t->page_range_count, err);
    }
    for (size_t i = 0; r == 0 && i < d->shared_count; i++) {
        struct shared_memory *m = &d->shared[i];
        m->pages_id = ++d->next_pages_id;
        r = write_pagemap(d, m->id, IMAGE_PAGEMAP_SHMEM, m->pages_id, m->pages, m->range_count,
                          err);
    }
    return r;
}
