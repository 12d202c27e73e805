#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/ghost.h"
#include "engine/hoard.h"

#define CHUNK    (1u << 20)
#define FILE_MAX (1ull << 62)

/* What is known of one file when it is to be made. */
struct plan {
    uint32_t id;
    const char *path;  /* the name it had */
    const char *other; /* the name it has besides; NULL: none, it is a ghost */
    bool tmpfile;      /* it never had a name, and may yet get one (O_TMPFILE) */
    mode_t mode;
    uid_t uid;
    gid_t gid;
    uint64_t size;
    struct timespec times[2];
    const char *target; /* of a symbolic link */
};

/* ---- reading ---- */

/* Calls `each` for every piece of content, in the order of the file, which must leave the reader
 * behind the piece. */
static int each_chunk(struct image_reader *reader, const GhostFileEntry *e, uint64_t size,
                      int (*each)(struct image_reader *, uint64_t at, uint64_t size, void *context,
                                  struct error *),
                      void *context, struct error *err)
{
    if (!e->chunks)
        return each(reader, 0, size, context, err);
    int n;
    uint64_t last = 0;
    _cleanup_message_ GhostChunkEntry *c = NULL;
    while ((n = image_next_as(reader, &ghost_chunk_entry__descriptor, (void **)&c, err)) > 0) {
        if (c->off < last || c->off > size || c->len > size - c->off)
            return image_error(reader, err, "content at %" PRIu64 " lies outside the file", c->off);
        last = c->off + c->len;
        n = each(reader, c->off, c->len, context, err);
        message_free(take_ptr(c));
        if (n < 0)
            return n;
    }
    return n;
}

static int open_ghost(int dirfd, uint32_t id, struct image_reader **reader, GhostFileEntry **ret,
                      uint64_t *size, struct error *err)
{
    int n = image_open(dirfd, IMAGE_GHOST_FILE, id, reader, err);
    if (n == 0)
        n = image_next(*reader, (void **)ret, err);
    if (n == 0)
        return image_error(*reader, err, "it is empty");
    if (n > 0)
        *size = (*ret)->chunks && (*ret)->has_size ? (*ret)->size : image_left(*reader);
    return n < 0 ? n : 0;
}

static int skip(struct image_reader *reader, uint64_t at, uint64_t size, void *context,
                struct error *err)
{
    return image_raw_skip(reader, size, err);
}

static bool can_be_made(mode_t mode)
{
    return S_ISREG(mode) || S_ISDIR(mode) || S_ISFIFO(mode) || S_ISLNK(mode);
}

static int load_ghost(struct restore *r, struct plan *p, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    _cleanup_message_ GhostFileEntry *e = NULL;
    int n = open_ghost(r->dirfd, p->id, &reader, &e, &p->size, err);
    if (n < 0)
        return n;
    if (p->size > FILE_MAX || !can_be_made(e->mode) || (S_ISLNK(e->mode) && !e->symlnk_target))
        return image_error(reader, err, "there is no such deleted file");
    p->mode = e->mode;
    p->uid = e->uid;
    p->gid = e->gid;
    p->target = e->symlnk_target ? arena_strdup(r->arena, e->symlnk_target) : NULL;
    for (int i = 0; i < 2; i++) {
        const Timeval *t = i ? e->mtim : e->atim;
        p->times[i].tv_sec = t ? (time_t)t->tv_sec : 0;
        p->times[i].tv_nsec = t ? (long)(t->tv_usec % 1000000) * 1000 : UTIME_OMIT;
    }
    return S_ISREG(p->mode) ? each_chunk(reader, e, p->size, skip, NULL, err) : 0;
}

/* ---- making ---- */

/* Where a file gets a name for a moment. */
struct place {
    int root;
    char *path;
    int parent; /* its directory */
    const char *name;
    struct stat before; /* of the directory */
    size_t made;        /* so many directories on the way were missing */
};

static bool parent_of(const char *path, char *parent)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return false;
    memcpy(parent, path, (size_t)(slash - path));
    parent[slash - path] = 0;
    return true;
}

static const char *last_part(const char *path)
{
    return strrchr(path, '/') + 1;
}

static int open_parent(int root, const char *path)
{
    char parent[PATH_MAX];
    return open_in_root(root, parent_of(path, parent) ? parent : "/", O_RDONLY | O_DIRECTORY, 0);
}

/* mkdir -p of what is above `path`; returns how many were made, or -errno. */
static int make_parents(int root, const char *path)
{
    char parent[PATH_MAX];
    _cleanup_close_ int there = open_parent(root, path);
    if (there >= 0 || !parent_of(path, parent))
        return there >= 0 ? 0 : there;
    int made = make_parents(root, parent);
    _cleanup_close_ int fd = made < 0 ? -1 : open_parent(root, parent);
    if (made < 0)
        return made;
    return fd < 0 || mkdirat(fd, last_part(parent), 0700) < 0 ? -errno : made + 1;
}

static void remove_parents(int root, const char *path, size_t count)
{
    char parent[PATH_MAX];
    if (!count || !parent_of(path, parent))
        return;
    _cleanup_close_ int fd = open_parent(root, parent);
    if (fd >= 0)
        unlinkat(fd, last_part(parent), AT_REMOVEDIR);
    remove_parents(root, parent, count - 1);
}

static int create(const struct place *at, const struct plan *p)
{
    if (p->other) {
        _cleanup_close_ int from = open_parent(at->root, p->other);
        return from < 0                                                         ? from
               : linkat(from, last_part(p->other), at->parent, at->name, 0) < 0 ? -errno
                                                                                : 0;
    }
    int n = -1;
    if (S_ISDIR(p->mode))
        n = mkdirat(at->parent, at->name, 0700);
    else if (S_ISLNK(p->mode))
        n = symlinkat(p->target, at->parent, at->name);
    else
        n = mknodat(at->parent, at->name, (p->mode & S_IFMT) | 0600, 0);
    return n < 0 ? -errno : 0;
}

/* Finds a name: the old one, if nothing is there, else one beside it, else anywhere. */
static int find_place(int root, const struct plan *p, struct place *at, struct error *err)
{
    const char *const forms[] = {"%s", "%s" GHOST_SUFFIX "%x", "/tmp/%.0s" GHOST_SUFFIX "%x",
                                 "/dev/shm/%.0s" GHOST_SUFFIX "%x"};
    int n = -ENOENT;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        char path[PATH_MAX + 64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(path, sizeof(path), forms[i], p->path, p->id);
#pragma GCC diagnostic pop
        int made = strlen(path) < PATH_MAX ? make_parents(root, path) : -ENAMETOOLONG;
        *at = (struct place){.root = root, .made = made > 0 ? (size_t)made : 0, .parent = -1};
        at->parent = made < 0 ? made : open_parent(root, path);
        at->path = xstrdup(path);
        at->name = last_part(at->path);
        n = at->parent < 0 ? at->parent : fstat(at->parent, &at->before) < 0 ? -errno : 0;
        if (n == 0)
            n = create(at, p);
        if (n == 0)
            return 0;
        remove_parents(root, at->path, at->made);
        if (at->parent >= 0)
            close(at->parent);
        free(at->path);
    }
    return error_errno(err, -n, "cannot make the deleted file %s again", p->path);
}

static void leave_place(struct place *at, mode_t mode)
{
    unlinkat(at->parent, at->name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
    futimens(at->parent, (struct timespec[]){at->before.st_atim, at->before.st_mtim});
    remove_parents(at->root, at->path, at->made);
    close(at->parent);
    free(at->path);
}

static int write_chunk(struct image_reader *reader, uint64_t at, uint64_t size, void *context,
                       struct error *err)
{
    const int *fd = context;
    _cleanup_free_ char *buffer = xmalloc(CHUNK);
    int n = 0;
    for (uint64_t done = 0; n == 0 && done < size;) {
        size_t step = size - done < CHUNK ? size - done : CHUNK;
        n = image_raw(reader, buffer, step, err);
        if (n < 0)
            return n;
        n = pwrite_full(*fd, buffer, step, (off_t)(at + done));
        if (n < 0)
            return error_errno(err, -n, "cannot write a deleted file of the checkpoint");
        done += step;
    }
    return n;
}

static int fill(const struct restore *r, const struct plan *p, int fd, struct error *err)
{
    _cleanup_(image_reader_freep) struct image_reader *reader = NULL;
    _cleanup_message_ GhostFileEntry *e = NULL;
    uint64_t size;
    int n = open_ghost(r->dirfd, p->id, &reader, &e, &size, err);
    if (n == 0)
        n = each_chunk(reader, e, p->size, write_chunk, &fd, err);
    if (n == 0 && ftruncate(fd, (off_t)p->size) < 0)
        return error_errno(err, errno, "cannot make the deleted file %s again", p->path);
    return n;
}

/* `path` names the file for us, whatever it is. */
static int finish(const struct restore *r, const struct plan *p, int dirfd, const char *path,
                  bool follow, struct error *err)
{
    int n = 0, flag = follow ? 0 : AT_SYMLINK_NOFOLLOW;
    if (S_ISREG(p->mode)) {
        _cleanup_close_ int fd =
            openat(dirfd, path, O_WRONLY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
        n = fd < 0 ? error_errno(err, errno, "cannot open the deleted file %s", p->path)
                   : fill(r, p, fd, err);
    }
    if (n < 0)
        return n;
    if (fchownat(dirfd, path, p->uid, p->gid, flag) < 0 ||
        (!S_ISLNK(p->mode) && fchmodat(dirfd, path, p->mode & 07777, 0) < 0) ||
        utimensat(dirfd, path, p->times, flag) < 0)
        return error_errno(err, errno, "cannot make the deleted file %s as it was", p->path);
    return 0;
}

/* O_TMPFILE: a file that may get a name later by linkat(2), which one that had one may not. Not
 * every file system has it. */
static int make_without_name(struct maker *m, const struct plan *p, struct error *err)
{
    char parent[PATH_MAX], path[64];
    struct error unused;
    int fd = maker_open(m, parent_of(p->path, parent) ? parent : "/", O_TMPFILE | O_RDWR, &unused);
    if (fd < 0)
        return fd;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", m->restore->init, fd);
    int n = finish(m->restore, p, AT_FDCWD, path, true, err);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = n < 0 ? n : maker_open(m, path, O_PATH, err);
    maker_call(m, NULL, "close a file", SYS_close, (uint64_t)fd);
    return again;
}

static int make(struct maker *m, const struct hoarded *h, int root, struct error *err)
{
    const struct plan *p = h->state;
    struct place at;
    if (p->tmpfile) {
        *err = (struct error){0};
        int fd = make_without_name(m, p, err);
        if (fd >= 0 || err->code)
            return fd;
    }
    int n = find_place(root, p, &at, err);
    if (n < 0 && p->other)
        return maker_open(m, p->other, O_PATH | O_NOFOLLOW, err);
    if (n < 0)
        return n;
    n = p->other ? 0 : finish(m->restore, p, at.parent, at.name, false, err);
    int fd = n < 0 ? n : maker_open(m, at.path, O_PATH | O_NOFOLLOW, err);
    leave_place(&at, p->mode);
    return fd;
}

static const struct hoard_type ghost_type = {make, NULL};
static const struct hoard_type linked_type = {make, NULL};

/* ---- the plan ---- */

static struct plan *new_plan(struct restore *r, const FileEntry *f, uint32_t id)
{
    struct plan *p = arena_new_of(r->arena, struct plan);
    p->id = id;
    p->path = arena_strdup(r->arena, f->reg->name);
    return p;
}

static int load_linked(struct restore *r, struct plan *p, struct error *err)
{
    const FileEntry *other = restore_file(r, p->id);
    if (!other || !other->reg || !other->reg->name || other->reg->name[0] != '/')
        return error_set(err, EINVAL, "the checkpoint does not describe the other name of %s",
                         p->path);
    p->other = other->reg->name;
    p->mode = S_IFREG;
    return 0;
}

static int add(struct restore *r, const RemapFilePathEntry *e, struct error *err)
{
    const FileEntry *f = restore_file(r, e->orig_id);
    bool old_ghost = !e->has_remap_type && e->remap_id >> 31;
    RemapType type = old_ghost           ? REMAP_TYPE__GHOST
                     : e->has_remap_type ? e->remap_type
                                         : REMAP_TYPE__LINKED;
    uint32_t id = old_ghost ? e->remap_id & 0x7fffffff : e->remap_id;
    if (!f || !f->reg || !f->reg->name || f->reg->name[0] != '/')
        return error_set(err, EINVAL, "remap-fpath.img of the checkpoint tells of no file (%u)",
                         e->orig_id);
    if (type != REMAP_TYPE__GHOST && type != REMAP_TYPE__LINKED)
        return error_set(err, ENOTSUP,
                         "the checkpoint has %s open, a file of a process that has ended, which "
                         "firn cannot restore",
                         f->reg->name);
    const struct hoard_type *kind = type == REMAP_TYPE__GHOST ? &ghost_type : &linked_type;
    const struct hoarded *h = hoard_find(r, kind, id);
    struct plan *p = h ? (struct plan *)h->state : new_plan(r, f, id);
    p->tmpfile = p->tmpfile || (f->reg->flags & O_TMPFILE) == O_TMPFILE;
    if (!h) {
        int n = type == REMAP_TYPE__GHOST ? load_ghost(r, p, err) : load_linked(r, p, err);
        if (n < 0)
            return n;
        hoard_add(r, kind, id, p);
        h = hoard_find(r, kind, id);
    }
    hoard_bind(r, f, h);
    return 0;
}

int ghosts_load(struct restore *r, struct error *err)
{
    _cleanup_(image_freep) struct image *remaps = NULL;
    int n = image_load_if(r->dirfd, IMAGE_REMAP_FPATH, 0, &remaps, err);
    for (size_t i = 0; n == 0 && i < remaps->count; i++)
        n = add(r, remaps->messages[i], err);
    return n;
}
