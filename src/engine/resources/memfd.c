/* Files in memory, memfd_create(2): their content is kept as that of other shared memory, by
 * inode. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/hoard.h"
#include "engine/resources/resource.h"

#define PREFIX          "/memfd:"
#define NAME_MAX_LENGTH 249

static bool match(const struct descriptor *f)
{
    return string_starts(f->link, PREFIX) && S_ISREG(f->st.st_mode);
}

/* ---- dump ---- */

static int look_at_file(struct dump *d, const struct descriptor *f, const char *place,
                        MemfdInodeEntry *e, struct error *err)
{
    struct statfs fs;
    _cleanup_close_ int fd = open(place, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstatfs(fd, &fs) < 0)
        return error_errno(err, errno, "cannot look at %s", descriptor_name(d, f));
    if (fs.f_type != TMPFS_MAGIC)
        return error_set(err, ENOTSUP, "%s is a memfd of huge TLB pages, which firn cannot save",
                         descriptor_name(d, f));
    int seals = fcntl(fd, F_GET_SEALS);
    e->seals = seals < 0 ? 0 : (uint32_t)seals;
    return 0;
}

static int note_inode(struct dump *d, const struct descriptor *f, struct error *err)
{
    for (size_t i = 0; i < d->memfd_count; i++)
        if (d->memfds[i]->inode_id == f->st.st_ino)
            return 0;
    const char *place = descriptor_place(d, f);
    MemfdInodeEntry *e = arena_new_of(d->arena, MemfdInodeEntry);
    memfd_inode_entry__init(e);
    e->name = arena_strdup(d->arena, f->link + strlen(PREFIX));
    e->uid = f->st.st_uid;
    e->gid = f->st.st_gid;
    e->size = (uint64_t)f->st.st_size;
    e->shmid = shared_memory_note(d, f->st.st_ino, place);
    e->inode_id = f->st.st_ino;
    e->has_mode = true;
    e->mode = f->st.st_mode;
    int r = look_at_file(d, f, place, e, err);
    array_reserve(d->memfds, d->memfd_count, d->memfd_room);
    d->memfds[d->memfd_count++] = e;
    return r;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    MemfdFileEntry *e = arena_new_of(d->arena, MemfdFileEntry);
    memfd_file_entry__init(e);
    e->id = entry->id;
    e->flags = f->flags;
    e->pos = (uint64_t)f->pos;
    e->fown = descriptor_owner(d, f);
    e->inode_id = (uint32_t)f->st.st_ino;
    entry->type = FD_TYPES__MEMFD;
    entry->memfd = e;
    return note_inode(d, f, err);
}

int memfd_write_images(struct dump *d, struct error *err)
{
    if (!d->memfd_count)
        return 0;
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_MEMFD, 0);
    for (size_t i = 0; i < d->memfd_count; i++)
        image_writer_add(w, d->memfds[i]);
    return image_writer_put(w, d->sink, err);
}

/* ---- restore ---- */

/* The pages of the file, in the restore's arena. */
static int read_ranges(struct restore *r, const MemfdInodeEntry *e, struct filling *ret,
                       struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    _cleanup_free_ struct page_range *ranges = NULL;
    uint64_t size = (e->size + PAGE - 1) & ~(PAGE - 1);
    size_t room = 0;
    int n = read_pagemap_head(r, IMAGE_PAGEMAP_SHMEM, e->shmid, &reader, &ret->pages_id, err);
    while (n >= 0) {
        _cleanup_message_ PagemapEntry *p = NULL;
        n = image_next_as(reader, &pagemap_entry__descriptor, (void **)&p, err);
        if (n <= 0)
            break;
        uint64_t count = p->has_nr_pages ? p->nr_pages : p->compat_nr_pages;
        if (p->vaddr % PAGE || p->vaddr > size || count > (size - p->vaddr) / PAGE)
            return image_error(reader, err, "pages at %#" PRIx64 " lie outside the file", p->vaddr);
        array_reserve(ranges, ret->count, room);
        ranges[ret->count++] = (struct page_range){.start = p->vaddr, .count = count};
        r->stats.pages_restored += count;
    }
    ret->ranges = arena_memdup(r->arena, ranges, ret->count * sizeof(*ranges));
    return n;
}

/* The content comes later, together with that of all memory. */
static int fill(struct restore *r, const MemfdInodeEntry *e, int *fd, struct error *err)
{
    struct filling f = {.fd = *fd};
    int n = read_ranges(r, e, &f, err);
    if (n < 0)
        return n;
    if (ftruncate(*fd, (off_t)e->size) < 0)
        return error_errno(err, errno, "cannot set the size of a memfd");
    take_fd(*fd);
    restore_fill_later(r, &f);
    return 0;
}

static int make(struct maker *m, const struct hoarded *h, int root, struct error *err)
{
    const MemfdInodeEntry *e = h->state;
    char path[64];
    batch_reset(m->batch);
    int fd = (int)maker_call(m, err, "make a memfd", SYS_memfd_create,
                             batch_string(m->batch, e->name), MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (fd < 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", m->restore->init, fd);
    _cleanup_close_ int own = open(path, O_RDWR | O_CLOEXEC);
    if (own < 0 || fchown(own, e->uid, e->gid) < 0 ||
        (e->has_mode && fchmod(own, e->mode & 07777) < 0))
        return error_errno(err, errno, "cannot make a memfd");
    int n = fill(m->restore, e, &own, err);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = n < 0 ? n : maker_open(m, path, O_PATH, err);
    maker_call(m, NULL, "close a memfd", SYS_close, (uint64_t)fd);
    return again;
}

/* Last, for a sealed file could not be mapped or filled as it was before it was sealed. Whole pages
 * were written. */
static int seal(struct restore *r, const struct hoarded *h, int fd, struct error *err)
{
    const MemfdInodeEntry *e = h->state;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    _cleanup_close_ int own = open(path, O_RDWR | O_CLOEXEC);
    if (own < 0 || ftruncate(own, (off_t)e->size) < 0)
        return error_errno(err, errno, "cannot set the size of the memfd %s", e->name);
    if (e->seals && fcntl(own, F_ADD_SEALS, e->seals) < 0)
        return error_errno(err, errno, "cannot seal the memfd %s", e->name);
    return 0;
}

static const struct hoard_type memfd_type = {make, seal};

static int load_inode(struct restore *r, const MemfdInodeEntry *e, struct error *err)
{
    if (!e->name || strlen(e->name) > NAME_MAX_LENGTH || e->size > 1ull << 47 ||
        (e->has_hugetlb_flag && e->hugetlb_flag))
        return error_set(err, EINVAL, "memfd.img of the checkpoint has a memfd that cannot be");
    MemfdInodeEntry *kept = arena_memdup(r->arena, e, sizeof(*e));
    kept->name = arena_strdup(r->arena, e->name);
    hoard_add(r, &memfd_type, e->inode_id, kept);
    return 0;
}

int memfd_load(struct restore *r, struct error *err)
{
    _cleanup_(image_freep) struct image *inodes = NULL;
    int n = image_load_if(r->dirfd, IMAGE_MEMFD, 0, &inodes, err);
    for (size_t i = 0; n == 0 && i < inodes->count; i++)
        n = load_inode(r, inodes->messages[i], err);
    for (size_t i = 0; n == 0 && i < r->file_count; i++) {
        if (!r->files[i]->memfd)
            continue;
        const struct hoarded *h = hoard_find(r, &memfd_type, r->files[i]->memfd->inode_id);
        if (!h)
            return error_set(err, EINVAL, "the checkpoint does not describe its memfd %u",
                             r->files[i]->id);
        hoard_bind(r, r->files[i], h);
    }
    return n;
}

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const MemfdFileEntry *e = entry->memfd;
    if (!e)
        return error_set(err, EINVAL, "the checkpoint's memfd %u is not described", entry->id);
    uint32_t flags = e->flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_TMPFILE);
    int fd = maker_open_file(m, entry, flags, err);
    if (fd < 0 || e->pos == 0 || e->flags & O_PATH)
        return fd;
    int64_t r = maker_call(m, err, "seek in a file", SYS_lseek, (uint64_t)fd, e->pos, SEEK_SET);
    return r < 0 ? (int)r : fd;
}

const struct resource resource_memfd = {"memfd", FD_TYPES__MEMFD, match, dump, restore};
