/* The open files of a process: descriptors, and the files behind exe, cwd, root and mappings. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/ghost.h"
#include "engine/locks.h"
#include "engine/resources/resource.h"

#define DELETED " (deleted)"

/* flags, pos and locks as /proc/PID/fdinfo/N tells them, see proc(5). */
static int read_fdinfo(struct descriptor *f)
{
    _cleanup_buf_ struct buf text = {0};
    int r = fdinfo_read(f->task->pid, f->fd, &text);
    if (r < 0)
        return r;
    uint64_t all = 0, pos = 0;
    fdinfo_number(text.data, "flags", 8, &all);
    fdinfo_number(text.data, "pos", 10, &pos);
    f->flags = (uint32_t)all & ~(uint32_t)O_CLOEXEC;
    f->cloexec = all & O_CLOEXEC;
    f->pos = (int64_t)pos;
    f->locked = strstr(text.data, "\nlock:") != NULL;
    return 0;
}

/* What the kernel appends to the path of a deleted file, unless a file is really called so; and
 * what a restore may have put there. */
static void strip_deleted(const struct dump *d, struct descriptor *f)
{
    if (f->link[0] != '/' || !string_ends(f->link, DELETED))
        return;
    struct stat st;
    _cleanup_close_ int fd = open_in_root(d->root_fd, f->link, O_PATH | O_NOFOLLOW, 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == f->st.st_ino && st.st_dev == f->st.st_dev)
        return;
    f->deleted = true;
    f->link[strlen(f->link) - strlen(DELETED)] = 0;
    char *suffix = strstr(f->link, GHOST_SUFFIX);
    if (suffix && suffix > strrchr(f->link, '/') + 1 &&
        suffix[strlen(GHOST_SUFFIX) + strspn(suffix + strlen(GHOST_SUFFIX), "0123456789abcdef")] ==
            0)
        *suffix = 0;
}

struct twin {
    struct descriptor *f;
    int fd;
    struct stat st;
};

static int compare_link(int fd, void *context)
{
    struct twin *t = context;
    struct stat st;
    char name[32], path[64], link[sizeof(t->f->link)];
    snprintf(name, sizeof(name), "fd/%d", fd);
    snprintf(path, sizeof(path), "/proc/%d/%s", t->f->task->pid, name);
    if (proc_link(t->f->task->pid, name, link, sizeof(link)) < 0 || strcmp(link, t->f->link) != 0 ||
        stat(path, &st) < 0)
        return 0;
    if (t->fd >= 0 && (st.st_ino != t->st.st_ino || st.st_dev != t->st.st_dev))
        return -EPERM; /* two files of that name: which one? */
    t->fd = fd;
    t->st = st;
    return 0;
}

/* Only real root may follow links to mapped files. The path they show leads to the same file unless
 * something was mounted over it; a deleted one is found if it is open as well. */
static int look_at_mapped(struct dump *d, struct descriptor *f)
{
    _cleanup_close_ int fd = open_in_root(d->root_fd, f->link, O_PATH, 0);
    if (fd >= 0)
        return fstat(fd, &f->st) < 0 ? -errno : 0;
    struct twin t = {.f = f, .fd = -1};
    int r = proc_each(f->task->pid, "fd", compare_link, &t);
    if (r < 0 || t.fd < 0)
        return r < 0 ? r : string_ends(f->link, DELETED) ? -EPERM : fd;
    f->place = arena_printf(d->arena, "fd/%d", t.fd);
    f->st = t.st;
    return 0;
}

static int look_at_link(struct dump *d, struct descriptor *f, const char *name, struct error *err)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/%d/%s", f->task->pid, name);
    int r = proc_link(f->task->pid, name, f->link, sizeof(f->link));
    if (r == 0 && stat(path, &f->st) < 0)
        r = errno == EPERM && string_starts(name, "map_files/") ? look_at_mapped(d, f) : -errno;
    if (r == -EPERM)
        return error_set(err, EPERM,
                         "%s is %s, which only root may look at (CAP_CHECKPOINT_RESTORE in the "
                         "initial user namespace)",
                         descriptor_name(d, f), f->link);
    if (r < 0)
        return error_errno(err, -r, "cannot look at %s", descriptor_name(d, f));
    strip_deleted(d, f);
    return 0;
}

FileEntry *dump_new_entry(struct dump *d)
{
    array_reserve(d->files, d->file_count, d->file_room);
    struct file *file = &d->files[d->file_count++];
    *file = (struct file){.fd = -1, .entry = arena_new_of(d->arena, FileEntry)};
    file_entry__init(file->entry);
    file->entry->id = (uint32_t)d->file_count;
    return file->entry;
}

static struct file *new_file(struct dump *d, const struct descriptor *f)
{
    array_reserve(d->files, d->file_count, d->file_room);
    struct file *file = &d->files[d->file_count++];
    *file = (struct file){.dev = f->st.st_dev,
                          .ino = f->st.st_ino,
                          .holder = f->task->pid,
                          .fd = f->fd,
                          .entry = arena_new_of(d->arena, FileEntry)};
    file_entry__init(file->entry);
    file->entry->id = (uint32_t)d->file_count;
    return file;
}

/* One that is refused stays known, so that it is refused once, whoever holds it. */
static int dump_file(struct dump *d, const struct descriptor *f, FileEntry **ret, struct error *err)
{
    FileEntry *entry = new_file(d, f)->entry;
    *ret = entry;
    const struct resource *resource = resource_match(d, f, err);
    int r = resource ? resource->dump(d, f, entry, err) : -ENOTSUP;
    if (r >= 0 || (r = dump_refuse_error(d, r, err)) < 0)
        return r;
    uint32_t id = entry->id;
    file_entry__init(entry);
    entry->id = id;
    d->files[id - 1].refused = true;
    return 0;
}

/* kcmp(2) puts open files into an order. */
static int compare_descriptions(const struct file *file, const struct descriptor *f)
{
    if (file->dev != f->st.st_dev)
        return file->dev < f->st.st_dev ? -1 : 1;
    if (file->ino != f->st.st_ino)
        return file->ino < f->st.st_ino ? -1 : 1;
    long order = syscall(SYS_kcmp, file->holder, f->task->pid, KCMP_FILE, (unsigned long)file->fd,
                         (unsigned long)f->fd);
    return order == 0 ? 0 : order == 1 ? -1 : 1;
}

/* Where it stands, or should stand, among the known ones. */
static size_t find_description(const struct dump *d, const struct descriptor *f, bool *ret_known)
{
    size_t low = 0, high = d->description_count;
    *ret_known = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_descriptions(&d->files[d->descriptions[middle]], f);
        *ret_known = *ret_known || order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int describe(struct dump *d, const struct descriptor *f, FileEntry **ret, struct error *err)
{
    bool known;
    size_t place = find_description(d, f, &known);
    if (known) {
        *ret = d->files[d->descriptions[place]].entry;
        return 0;
    }
    array_reserve(d->descriptions, d->description_count, d->description_room);
    memmove(&d->descriptions[place + 1], &d->descriptions[place],
            (d->description_count++ - place) * sizeof(*d->descriptions));
    d->descriptions[place] = d->file_count;
    return dump_file(d, f, ret, err);
}

struct job {
    struct dump *d;
    struct task *t;
    struct error *err;
    size_t room;
};

static int look_at_descriptor(struct job *j, int fd)
{
    struct descriptor f = {.task = j->t, .fd = fd};
    char name[32];
    snprintf(name, sizeof(name), "fd/%d", fd);
    int r = look_at_link(j->d, &f, name, j->err);
    if (r == 0 && (r = read_fdinfo(&f)) < 0)
        error_errno(j->err, -r, "cannot look at %s", descriptor_name(j->d, &f));
    FileEntry *file = NULL;
    if (r == 0)
        r = describe(j->d, &f, &file, j->err);
    if (r == 0 && f.locked)
        r = locks_note(j->d, &f, file->id, j->err);
    if (r < 0)
        return r;
    FdinfoEntry *e = arena_new_of(j->d->arena, FdinfoEntry);
    fdinfo_entry__init(e);
    e->id = file->id;
    e->fd = (uint32_t)fd;
    e->flags = f.cloexec ? FD_CLOEXEC : 0;
    e->type = file->type;
    array_reserve(j->t->fds, j->t->fd_count, j->room);
    j->t->fds[j->t->fd_count++] = e;
    return 0;
}

static int dump_descriptor(int fd, void *context)
{
    struct job *j = context;
    return dump_refuse_error(j->d, look_at_descriptor(j, fd), j->err);
}

/* Not a descriptor's. */
static bool same_path(const FileEntry *e, const struct descriptor *f)
{
    return e->memfd ? e->memfd->flags == f->flags
                    : e->reg->flags == f->flags && string_equal(e->reg->name, f->link);
}

/* The copy is compared with other files as if we were a process of the container. */
int dump_sent_file(struct dump *d, const struct task *receiver, int fd, uint32_t *ret_id,
                   struct error *err)
{
    struct task *here = arena_memdup(d->arena, receiver, sizeof(*receiver));
    here->pid = getpid();
    struct descriptor f = {.task = here, .fd = fd};
    char name[32];
    snprintf(name, sizeof(name), "fd/%d", fd);
    int r = look_at_link(d, &f, name, err);
    if (r == 0 && (r = read_fdinfo(&f)) < 0)
        error_errno(err, -r, "cannot look at %s", descriptor_name(d, &f));
    FileEntry *file = NULL;
    if (r == 0)
        r = describe(d, &f, &file, err);
    if (r == 0)
        *ret_id = file->id;
    return r;
}

int dump_path(struct dump *d, const struct task *t, const char *link, uint32_t flags,
              uint32_t *ret_id, struct error *err)
{
    struct descriptor f = {.task = t, .fd = -1, .place = link, .flags = flags};
    int r = look_at_link(d, &f, link, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < d->file_count; i++) {
        const struct file *file = &d->files[i];
        if (file->fd < 0 && file->ino == f.st.st_ino && file->dev == f.st.st_dev &&
            !file->refused && same_path(file->entry, &f)) {
            *ret_id = file->entry->id;
            return 0;
        }
    }
    FileEntry *entry;
    r = dump_file(d, &f, &entry, err);
    *ret_id = entry->id;
    return r;
}

static int dump_directories(struct dump *d, struct task *t, struct error *err)
{
    t->fs = arena_new_of(d->arena, FsEntry);
    fs_entry__init(t->fs);
    t->fs->has_umask = true;
    t->fs->umask = t->status.umask;
    int r = dump_path(d, t, "cwd", O_DIRECTORY, &t->fs->cwd_id, err);
    return r < 0 ? r : dump_path(d, t, "root", O_DIRECTORY, &t->fs->root_id, err);
}

int dump_descriptors(struct dump *d, struct task *t, struct error *err)
{
    int r = dump_directories(d, t, err);
    struct job j = {.d = d, .t = t, .err = err};
    if (r == 0 && !t->shared[SHARE_FILES])
        r = proc_each(t->pid, "fd", dump_descriptor, &j);
    FdinfoEntry **fds = t->fds;
    t->fds = arena_memdup(d->arena, fds, t->fd_count * sizeof(*fds));
    free(fds);
    if (r < 0 && !err->code)
        return error_errno(err, -r, "cannot list the descriptors of process %d", t->vpid);
    return r;
}
