#include "engine/hoard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"

/* Above base_fd stand the three standard descriptors, then the hoard. */
static int number_of(const struct restore *r, size_t index)
{
    return r->base_fd + 3 + (int)index;
}

void hoard_add(struct restore *r, const struct hoard_type *type, uint64_t id, const void *state)
{
    array_reserve(r->hoard, r->hoard_count, r->hoard_room);
    r->hoard[r->hoard_count++] = (struct hoarded){type, id, state};
}

const struct hoarded *hoard_find(const struct restore *r, const struct hoard_type *type,
                                 uint64_t id)
{
    for (size_t i = 0; i < r->hoard_count; i++)
        if (r->hoard[i].type == type && r->hoard[i].id == id)
            return &r->hoard[i];
    return NULL;
}

void hoard_bind(struct restore *r, const FileEntry *file, const struct hoarded *h)
{
    if (!r->hoard_of)
        r->hoard_of = arena_array_of(r->arena, size_t, r->file_count);
    r->hoard_of[restore_offer(r, file->id) - r->offers] = (size_t)(h - r->hoard) + 1;
}

/* ---- in init ---- */

static int raise_limit(struct batch *b, struct error *err)
{
    batch_reset(b);
    remote_addr at = batch_room(b, sizeof(struct rlimit64));
    batch_call(b, "read its limit of open files", SYS_prlimit64, 0, RLIMIT_NOFILE, 0, at);
    int n = batch_run(b, err);
    if (n < 0)
        return n;
    struct rlimit64 limit = *(const struct rlimit64 *)batch_local(b, at);
    limit.rlim_cur = limit.rlim_max;
    batch_reset(b);
    batch_call(b, "raise its limit of open files", SYS_prlimit64, 0, RLIMIT_NOFILE,
               batch_data(b, &limit, sizeof(limit)), 0);
    return batch_run(b, err);
}

static int put(struct maker *m, int fd, size_t index, struct error *err)
{
    batch_reset(m->batch);
    if (fd == number_of(m->restore, index))
        return 0;
    batch_call(m->batch, "keep a file", SYS_dup3, (uint64_t)fd,
               (uint64_t)number_of(m->restore, index), O_CLOEXEC);
    batch_call(m->batch, "close a file", SYS_close, (uint64_t)fd);
    return batch_run(m->batch, err);
}

static int make_all(struct maker *m, int root, struct error *err)
{
    struct restore *r = m->restore;
    int n = raise_limit(m->batch, err);
    for (size_t i = 0; n == 0 && i < r->hoard_count; i++) {
        batch_reset(m->batch);
        int fd = r->hoard[i].type->make(m, &r->hoard[i], root, err);
        n = fd < 0 ? fd : put(m, fd, i, err);
    }
    return n;
}

static int open_root(const struct restore *r)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root", r->init);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int restore_hoard(struct restore *r, struct error *err)
{
    if (!r->hoard_count)
        return 0;
    _cleanup_close_ int root = open_root(r);
    if (root < 0)
        return error_errno(err, errno, "cannot open the root directory of container %s",
                           r->options.name);
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    struct maker m = {.restore = r, .task = &r->tree.tasks[0], .batch = b};
    batch_start(b, &m.task->threads[0].puppet);
    int n = make_all(&m, root, err);
    batch_free(b);
    return n;
}

/* ---- in the others ---- */

static int bring_all(struct maker *m, struct error *err)
{
    struct restore *r = m->restore;
    int n = raise_limit(m->batch, err);
    for (size_t i = 0; n == 0 && i < r->hoard_count; i++) {
        int fd = maker_fetch_from(m, &r->tree.tasks[0], number_of(r, i), err);
        n = fd < 0 ? fd : put(m, fd, i, err);
    }
    return n;
}

int hoard_bring(struct restore *r, struct task *t, struct error *err)
{
    if (!r->hoard_count)
        return 0;
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    struct maker m = {.restore = r, .task = t, .batch = b};
    batch_start(b, &t->threads[0].puppet);
    int n = bring_all(&m, err);
    batch_free(b);
    return n;
}

static int index_of(const struct restore *r, const FileEntry *file)
{
    const struct offer *offer = r->hoard_of ? restore_offer(r, file->id) : NULL;
    return offer ? (int)r->hoard_of[offer - r->offers] - 1 : -1;
}

bool hoard_has(const struct restore *r, const FileEntry *file)
{
    return index_of(r, file) >= 0;
}

int maker_open_file(struct maker *m, const FileEntry *file, uint32_t flags, struct error *err)
{
    int index = index_of(m->restore, file);
    if (index < 0)
        return maker_open(m, file->reg->name, flags, err);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", number_of(m->restore, (size_t)index));
    /* The last component is a link of the kernel's. */
    return maker_open(m, path, flags & ~(uint32_t)O_NOFOLLOW, err);
}

/* ---- the end ---- */

int restore_finish_hoard(struct restore *r, struct error *err)
{
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->hoard_count; i++) {
        const struct hoarded *h = &r->hoard[i];
        if (!h->type->finish)
            continue;
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", r->init, number_of(r, i));
        _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);
        n = fd < 0 ? error_errno(err, errno, "cannot open %s", path)
                   : h->type->finish(r, h, fd, err);
    }
    return n;
}
