#include "engine/locks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/restore.h"

/* As the image's `flag` says it. */
enum lock_kind { LOCK_POSIX = 1, LOCK_FLOCK = 2, LOCK_OFD = 4, LOCK_LEASE = 8 };

struct lock {
    FileLockEntry *entry;
    uint32_t file_id;
};

/* ---- dump ---- */

static const struct {
    const char *name; /* as the kernel writes it */
    enum lock_kind kind;
} kinds[] = {
    {"POSIX", LOCK_POSIX}, {"FLOCK", LOCK_FLOCK}, {"OFDLCK", LOCK_OFD}, {"LEASE", LOCK_LEASE}};

/* "1: POSIX  ADVISORY  WRITE 5 00:2b:1234 0 EOF", see proc_locks(5). */
static bool parse(const char *line, FileLockEntry *e)
{
    char kind[16], mode[16], type[16], end[32];
    long long start;
    if (sscanf(line, " %*d: %15s %15s %15s %*d %*s %lld %31s", kind, mode, type, &start, end) != 5)
        return false;
    file_lock_entry__init(e);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (string_equal(kinds[i].name, kind))
            e->flag = kinds[i].kind;
    e->type = string_equal(type, "WRITE") ? F_WRLCK : F_RDLCK;
    e->start = start;
    e->len = string_equal(end, "EOF") ? 0 : strtoll(end, NULL, 10) - start + 1;
    return e->flag && (string_equal(mode, "ADVISORY") || string_equal(mode, "ACTIVE")) &&
           (e->type == F_WRLCK || string_equal(type, "READ"));
}

/* A lock of a description is seen by all who have it, one of a process at all its duplicates. */
static bool known(const struct dump *d, const FileLockEntry *e, uint32_t file_id)
{
    for (size_t i = 0; i < d->lock_count; i++) {
        const FileLockEntry *o = d->locks[i].entry;
        if (d->locks[i].file_id == file_id && o->flag == e->flag && o->start == e->start &&
            o->len == e->len && (e->flag != LOCK_POSIX || o->pid == e->pid))
            return true;
    }
    return false;
}

/* Whether nobody outside can reach the file: it is on the container's root or in memory. */
static bool is_inside(const struct task *t, uint64_t mount)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", t->pid);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    char line[4096], target[4096], type[32];
    unsigned long long id;
    while (f && fgets(line, sizeof(line), f)) {
        const char *rest = strstr(line, " - ");
        if (rest && sscanf(line, "%llu %*d %*s %*s %4095s", &id, target) == 2 && id == mount &&
            sscanf(rest, " - %31s", type) == 1)
            return string_equal(target, "/") || string_equal(type, "overlay") ||
                   string_equal(type, "tmpfs");
    }
    return f != NULL; /* a mount of no namespace: a file in memory */
}

static int add(struct dump *d, const struct descriptor *f, const char *line, uint32_t file_id,
               struct error *err)
{
    FileLockEntry *e = arena_new_of(d->arena, FileLockEntry);
    if (!parse(line, e))
        return error_set(err, ENOTSUP, "%s holds a lock on %s that firn cannot save: %.*s",
                         descriptor_name(d, f), f->link, (int)strcspn(line, "\n"), line);
    e->pid = f->task->vpid;
    e->fd = f->fd;
    if (known(d, e, file_id))
        return 0;
    array_reserve(d->locks, d->lock_count, d->lock_room);
    d->locks[d->lock_count++] = (struct lock){e, file_id};
    return 0;
}

int locks_note(struct dump *d, const struct descriptor *f, uint32_t file_id, struct error *err)
{
    _cleanup_buf_ struct buf text = {0};
    uint64_t mount = 0;
    int r = fdinfo_read(f->task->pid, f->fd, &text);
    if (r < 0)
        return error_errno(err, -r, "cannot look at %s", descriptor_name(d, f));
    fdinfo_number(text.data, "mnt_id", 10, &mount);
    if (!d->options.file_locks && !is_inside(f->task, mount))
        return error_set(err, ENOTSUP,
                         "%s holds a lock on %s, a file that processes outside may lock meanwhile "
                         "(--file-locks saves the lock nevertheless)",
                         descriptor_name(d, f), f->link);
    for (const char *at = text.data; r == 0 && (at = strstr(at, "\nlock:"));) {
        at += strlen("\nlock:");
        r = add(d, f, at, file_id, err);
    }
    return r;
}

int locks_write_images(struct dump *d, struct error *err)
{
    if (!d->lock_count)
        return 0;
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_FILELOCKS, 0);
    for (size_t i = 0; i < d->lock_count; i++)
        image_writer_add(w, d->locks[i].entry);
    return image_writer_put(w, d->sink, err);
}

/* ---- restore ---- */

static bool has_descriptor(const struct task *t, int fd)
{
    for (size_t i = 0; i < t->fd_count; i++)
        if ((int)t->fds[i]->fd == fd)
            return true;
    return false;
}

int locks_load(struct restore *r, struct error *err)
{
    int n = image_load_if(r->dirfd, IMAGE_FILELOCKS, 0, &r->locks, err);
    for (size_t i = 0; n == 0 && i < r->locks->count; i++) {
        const FileLockEntry *e = r->locks->messages[i];
        const struct task *t = tree_find(&r->tree, e->pid);
        if (!t || t->state == TASK_ZOMBIE || !has_descriptor(t, e->fd) || e->start < 0 ||
            e->len < 0 || (e->type != F_RDLCK && e->type != F_WRLCK))
            return error_set(err, EINVAL,
                             "filelocks.img of the checkpoint has a lock of process %d that "
                             "cannot be",
                             e->pid);
    }
    return n;
}

static int lock(struct maker *m, const FileLockEntry *e, struct error *err)
{
    struct flock range = {.l_type = (short)e->type, .l_start = e->start, .l_len = e->len};
    batch_reset(m->batch);
    uint64_t fd = (uint64_t)e->fd, how = e->type == F_WRLCK ? LOCK_EX : LOCK_SH;
    remote_addr at = batch_data(m->batch, &range, sizeof(range));
    int64_t n = -EINVAL;
    if (e->flag == LOCK_POSIX)
        n = maker_call(m, err, "lock a file again", SYS_fcntl, fd, F_SETLK, at);
    else if (e->flag == LOCK_OFD)
        n = maker_call(m, err, "lock a file again", SYS_fcntl, fd, F_OFD_SETLK, at);
    else if (e->flag == LOCK_FLOCK)
        n = maker_call(m, err, "lock a file again", SYS_flock, fd, how | LOCK_NB);
    else if (e->flag == LOCK_LEASE)
        n = maker_call(m, err, "get a lease again", SYS_fcntl, fd, F_SETLEASE, e->type);
    else
        return error_set(err, EINVAL, "the checkpoint has a lock of an unknown kind");
    return n < 0 ? error_wrap(err, "fd %d", e->fd) : 0;
}

int restore_locks(struct restore *r, struct error *err)
{
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    int n = 0;
    for (size_t i = 0; n == 0 && i < r->locks->count; i++) {
        const FileLockEntry *e = r->locks->messages[i];
        struct task *t = tree_find(&r->tree, e->pid);
        struct maker m = {.restore = r, .task = t, .batch = b};
        batch_start(b, &t->threads[0].puppet);
        n = lock(&m, e, err);
        batch_free(b);
    }
    return n;
}
