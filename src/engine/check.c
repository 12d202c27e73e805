/* Judges the plan before anything is done. The images are untrusted: what passes here may ask for
 * nothing beyond the container. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "engine/aio.h"
#include "engine/extra.h"
#include "engine/host.h"
#include "engine/restore.h"
#include "engine/sharing.h"
#include "engine/vma.h"

#define PID_LIMIT     (4 * 1024 * 1024)
#define ADDRESS_LIMIT 0x7ffffffff000ull
#define FD_LIMIT      (1u << 20)

static int check_pids(struct restore *r, struct error *err)
{
    if (r->tree.count == 0)
        return error_set(err, EINVAL, "the checkpoint holds no process");
    if (r->tree.tasks[0].vpid != 1 || r->tree.tasks[0].state == TASK_ZOMBIE)
        return error_set(err, EINVAL,
                         "the checkpoint's first process is %d, not the init (1) of a container "
                         "with a pid namespace of its own",
                         r->tree.tasks[0].vpid);
    for (size_t i = 0; i < r->tree.count; i++) {
        const struct task *t = &r->tree.tasks[i];
        if (t->vpid <= 0 || t->vpid > PID_LIMIT || tree_find(&r->tree, t->vpid) != t)
            return error_set(err, EINVAL, "the checkpoint has a wrong or repeated pid %d", t->vpid);
        if (t->parent &&
            (!t->parent_task || t->parent_task >= t || t->parent_task->state == TASK_ZOMBIE))
            return error_set(err, EINVAL, "the checkpoint's process %d has no living parent %d",
                             t->vpid, t->parent);
        if (!sharing_is_sound(&r->tree, t))
            return error_set(err, EINVAL,
                             "the checkpoint's process %d shares what nobody can bequeath to it",
                             t->vpid);
        for (size_t j = 0; j < t->thread_count; j++)
            if (t->threads[j].puppet.vtid <= 0 || t->threads[j].puppet.vtid > PID_LIMIT)
                return error_set(err, EINVAL, "the checkpoint has a wrong thread id %d",
                                 t->threads[j].puppet.vtid);
    }
    return 0;
}

static int check_file(struct restore *r, const struct task *t, uint32_t id, const char *what,
                      bool regular, struct error *err)
{
    const FileEntry *f = restore_file(r, id);
    bool named = f && f->reg && f->reg->name && f->reg->name[0] == '/';
    if (!f || (regular && !named && !f->memfd))
        return error_set(err, EINVAL, "the checkpoint does not describe %s of process %d", what,
                         t->vpid);
    if (!resource_of_type(f->type))
        return error_set(err, ENOTSUP,
                         "process %d has a descriptor of a kind (%d) that firn cannot restore yet",
                         t->vpid, (int)f->type);
    return 0;
}

static int check_files(struct restore *r, struct task *t, struct error *err)
{
    int n = check_file(r, t, t->mm->exe_file_id, "the program", true, err);
    if (n == 0)
        n = check_file(r, t, t->fs->cwd_id, "the working directory", true, err);
    if (n == 0)
        n = check_file(r, t, t->fs->root_id, "the root directory", true, err);
    for (size_t i = 0; n == 0 && i < t->fd_count; i++) {
        n = check_file(r, t, t->fds[i]->id, "a descriptor", false, err);
        if (t->fds[i]->fd >= FD_LIMIT)
            return error_set(err, EINVAL, "process %d has descriptor %u: that cannot be", t->vpid,
                             t->fds[i]->fd);
        if ((int)t->fds[i]->fd >= r->base_fd)
            r->base_fd = (int)t->fds[i]->fd + 1;
    }
    return n;
}

static int note_nursery(struct restore *r, const VmaEntry *v, struct error *err)
{
    uint64_t end = v->pgoff + (v->end - v->start);
    bool segment = v->status & VMA_SYSVIPC;
    for (size_t i = 0; i < r->nursery_count; i++) {
        struct nursery *s = &r->nurseries[i];
        if (s->shmid != v->shmid || s->segment != segment)
            continue;
        if (segment && end > s->size)
            return error_set(err, EINVAL, "the checkpoint maps more of a segment than there is");
        if (end > s->size)
            s->size = end;
        return 0;
    }
    if (segment)
        return error_set(err, EINVAL, "the checkpoint maps a System V segment it does not hold");
    array_reserve(r->nurseries, r->nursery_count, r->nursery_room);
    r->nurseries[r->nursery_count++] =
        (struct nursery){.shmid = v->shmid, .size = end, .huge = v->flags & MAP_HUGETLB_BITS};
    return 0;
}

static int check_area(struct restore *r, const struct task *t, const VmaEntry *v, uint64_t last,
                      struct error *err)
{
    if (v->start % PAGE || v->end % PAGE || v->pgoff % PAGE || v->start >= v->end ||
        v->start < last || v->end > ADDRESS_LIMIT || v->pgoff > 1ull << 60)
        return error_set(err, EINVAL,
                         "the checkpoint's memory map of process %d is wrong at %#" PRIx64, t->vpid,
                         v->start);
    uint64_t page = vma_page_size(v->flags);
    if (v->flags & MAP_HUGETLB &&
        ((page != 2u << 20 && page != 1u << 30) || v->start % page || v->end % page ||
         v->pgoff % page || !(v->status & (VMA_ANON_SHARED | VMA_ANON_PRIVATE))))
        return error_set(err, ENOTSUP,
                         "process %d has huge TLB pages of a kind at %#" PRIx64
                         " that firn cannot restore",
                         t->vpid, v->start);
    uint32_t known = VMA_REGULAR | VMA_STACK | VMA_VDSO | VMA_HEAP | VMA_FILE_PRIVATE |
                     VMA_FILE_SHARED | VMA_ANON_SHARED | VMA_ANON_PRIVATE | VMA_VVAR | VMA_AIO |
                     VMA_MEMFD | VMA_SYSVIPC;
    if (v->status & ~known)
        return error_set(err, ENOTSUP,
                         "process %d has memory of a kind (status %#x) at %#" PRIx64
                         " that firn cannot restore yet",
                         t->vpid, v->status, v->start);
    if (v->status & VMA_ANON_SHARED)
        return note_nursery(r, v, err);
    if (v->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED))
        return check_file(r, t, (uint32_t)v->shmid, "a mapped file", true, err);
    return 0;
}

/* Pages may only go where the process has private memory: anywhere else they could change what
 * drives it while it still has all rights. */
static bool page_is_inside(const MmEntry *mm, size_t *area, uint64_t start, uint64_t end)
{
    while (start < end) {
        while (*area < mm->n_vmas && mm->vmas[*area]->end <= start)
            ++*area;
        if (*area == mm->n_vmas)
            return false;
        const VmaEntry *v = mm->vmas[*area];
        if (v->start > start || !(v->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE)) ||
            v->status & VMA_VVAR)
            return false;
        start = v->end;
    }
    return true;
}

/* CRIU leaves the vsyscall page in the map; every process has it by itself. */
static void drop_vsyscall(MmEntry *mm)
{
    while (mm->n_vmas && mm->vmas[mm->n_vmas - 1]->status & VMA_VSYSCALL)
        vma_entry__free_unpacked(mm->vmas[--mm->n_vmas], NULL);
}

static void take_guards(struct restore *r, struct task *t)
{
    MmEntry *mm = t->mm;
    size_t areas = mm->n_vmas;
    while (areas && mm->vmas[areas - 1]->status & VMA_GUARD)
        areas--;
    t->guards = arena_array_of(r->arena, struct page_range, mm->n_vmas - areas);
    while (mm->n_vmas > areas) {
        VmaEntry *v = mm->vmas[--mm->n_vmas];
        t->guards[t->guard_count++] =
            (struct page_range){v->start, (v->end - v->start) / PAGE, false};
        vma_entry__free_unpacked(v, NULL);
    }
}

static int check_guards(const struct task *t, struct error *err)
{
    size_t area = 0;
    for (size_t i = t->guard_count; i-- > 0;) { /* the last comes first */
        const struct page_range *g = &t->guards[i];
        if (g->start % PAGE || g->count == 0 || g->count > ADDRESS_LIMIT / PAGE ||
            !page_is_inside(t->mm, &area, g->start, g->start + g->count * PAGE))
            return error_set(err, EINVAL,
                             "the checkpoint guards %#" PRIx64 ", where process %d has no memory",
                             g->start, t->vpid);
    }
    return 0;
}

static int check_memory(struct restore *r, struct task *t, struct error *err)
{
    uint64_t last = PAGE;
    take_guards(r, t);
    drop_vsyscall(t->mm);
    for (size_t i = 0; i < t->mm->n_vmas; i++) {
        int n = check_area(r, t, t->mm->vmas[i], last, err);
        if (n < 0)
            return n;
        last = t->mm->vmas[i]->end;
    }
    int n = aio_check(t, err);
    return n < 0 ? n : check_guards(t, err);
}

static int add_pages(struct restore *r, struct task *t, size_t *room, size_t *area,
                     const PagemapEntry *e, struct error *err)
{
    uint64_t count = e->has_nr_pages ? e->nr_pages : e->compat_nr_pages;
    uint64_t last = t->page_range_count ? t->pages[t->page_range_count - 1].start : 0;
    if (e->in_parent || (e->has_flags && e->flags & 1))
        return error_set(err, ENOTSUP,
                         "the checkpoint is incremental: firn cannot restore those yet");
    if (e->vaddr % PAGE || count == 0 || count > ADDRESS_LIMIT / PAGE || e->vaddr < last ||
        !page_is_inside(t->mm, area, e->vaddr, e->vaddr + count * PAGE))
        return error_set(err, EINVAL,
                         "the checkpoint has pages for process %d at %#" PRIx64
                         ", where it has no memory",
                         t->vpid, e->vaddr);
    array_reserve(t->pages, t->page_range_count, *room);
    t->pages[t->page_range_count++] = (struct page_range){.start = e->vaddr, .count = count};
    r->stats.pages_restored += count;
    return 0;
}

int read_pagemap_head(struct restore *r, enum image_kind kind, uint64_t number,
                      struct image_reader **reader, uint32_t *pages_id, struct error *err)
{
    int n = image_open(r->dirfd, kind, number, reader, err);
    if (n < 0)
        return n;
    _cleanup_message_ PagemapHead *head = NULL;
    n = image_next_as(*reader, &pagemap_head__descriptor, (void **)&head, err);
    if (n <= 0)
        return n < 0 ? n : image_error(*reader, err, "it is empty");
    *pages_id = head->pages_id;
    return 0;
}

static int check_pages_file(struct restore *r, const struct task *t, struct error *err)
{
    char name[IMAGE_NAME_MAX];
    struct stat st;
    uint64_t want = 0;
    for (size_t i = 0; i < t->page_range_count; i++)
        want += t->pages[i].count * PAGE;
    image_name(IMAGE_PAGES, t->pages_id, name);
    if (want && !r->options.pages &&
        (fstatat(r->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (uint64_t)st.st_size < want))
        return error_set(err, EINVAL, "%s of the checkpoint is missing or too short", name);
    return 0;
}

static int check_pages(struct restore *r, struct task *t, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    int n = read_pagemap_head(r, IMAGE_PAGEMAP, (uint64_t)t->vpid, &reader, &t->pages_id, err);
    size_t room = 0, area = 0;
    while (n >= 0) {
        _cleanup_message_ PagemapEntry *e = NULL;
        n = image_next_as(reader, &pagemap_entry__descriptor, (void **)&e, err);
        if (n <= 0)
            break;
        n = add_pages(r, t, &room, &area, e, err);
    }
    struct page_range *ranges = t->pages;
    t->pages = arena_memdup(r->arena, ranges, t->page_range_count * sizeof(*ranges));
    free(ranges);
    return n < 0 ? n : check_pages_file(r, t, err);
}

static uint64_t words(const uint32_t *w, size_t n)
{
    return (n > 0 ? w[0] : 0) | (n > 1 ? (uint64_t)w[1] << 32 : 0);
}

/* init cannot be one of them: the runtime would take the container for ended. */
static int check_leader(struct restore *r, struct task *t, struct error *err)
{
    const struct json *status =
        js_get(extra_find(r->extra, "processes", (uint64_t)t->vpid), "leaderEnded");
    t->leader_ended = status != NULL;
    t->leader_status = (int)js_int_value(status);
    if (t->leader_ended && (t->thread_count < 2 || t == &r->tree.tasks[0]))
        return error_set(err, EINVAL, "the checkpoint's process %d has no thread to go on",
                         t->vpid);
    return 0;
}

static int check_credentials(struct restore *r, const struct task *t, struct error *err)
{
    for (size_t i = t->leader_ended; i < t->thread_count; i++) {
        const CredsEntry *c = t->threads[i].core->thread_core->creds;
        if (!c)
            return error_set(err, EINVAL, "the checkpoint holds no credentials for process %d",
                             t->vpid);
        uint64_t wants = words(c->cap_prm, c->n_cap_prm) | words(c->cap_eff, c->n_cap_eff) |
                         words(c->cap_bnd, c->n_cap_bnd) | words(c->cap_inh, c->n_cap_inh);
        if (wants & ~r->options.capabilities)
            return error_set(err, EPERM,
                             "process %d of the checkpoint wants capabilities (%#" PRIx64
                             ") that container %s was not created with",
                             t->vpid, wants & ~r->options.capabilities, r->options.name);
    }
    return 0;
}

/* Whether a process has them or not: sockets look for each other among all. */
static int check_entries(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < r->file_count; i++) {
        const FileEntry *f = r->files[i];
        const struct resource *resource = resource_of_type(f->type);
        if (f->usk && f->type != FD_TYPES__UNIXSK)
            return error_set(err, EINVAL, "the checkpoint's file %u is of two kinds", f->id);
        int n = resource && resource->check ? resource->check(r, f, err) : 0;
        n = refusals_take_any(&r->refusals, n, err);
        if (n < 0)
            return n;
    }
    return r->refusals.count ? 0 : socket_queues_check(r, err);
}

static void check_pid_limit(struct restore *r)
{
    int most = 0;
    for (size_t i = 0; i < r->tree.count; i++)
        for (size_t j = 0; j < r->tree.tasks[i].thread_count; j++)
            if (r->tree.tasks[i].threads[j].puppet.vtid > most)
                most = r->tree.tasks[i].threads[j].puppet.vtid;
    int limit = host_pid_limit(most);
    if (limit && most >= limit)
        refusals_add(&r->refusals,
                     "the checkpoint has a process with pid %d, and this machine allows none above "
                     "%d (sysctl kernel.pid_max)",
                     most, limit - 1);
}

/* One step may rely on those before it. */
static int check_task(struct restore *r, struct task *t, struct error *err)
{
    int n = check_leader(r, t, err);
    if (n == 0)
        n = check_files(r, t, err);
    if (n == 0)
        n = check_memory(r, t, err);
    if (n == 0)
        n = check_pages(r, t, err);
    if (n == 0)
        n = check_credentials(r, t, err);
    for (size_t j = 0; n == 0 && j < t->thread_count; j++)
        n = thread_info_load(t->threads[j].core, &t->threads[j].registers, err);
    return n;
}

int plan_check(struct restore *r, struct error *err)
{
    r->base_fd = 3;
    int n = check_pids(r, err);
    if (n < 0)
        return n;
    n = refusals_take_any(&r->refusals, host_check(js_get(r->extra, "host"), err), err);
    check_pid_limit(r);
    if (n == 0)
        n = refusals_take_any(&r->refusals, check_entries(r, err), err);
    for (size_t i = 0; n == 0 && i < r->tree.count; i++)
        if (r->tree.tasks[i].state != TASK_ZOMBIE)
            n = refusals_take_any(&r->refusals, check_task(r, &r->tree.tasks[i], err), err);
    return n;
}
