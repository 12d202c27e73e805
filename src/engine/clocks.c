#include "engine/clocks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "engine/dump.h"
#include "engine/restore.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

#define NSEC INT64_C(1000000000)
/* The kernel takes no more (KTIME_SEC_MAX / 2). */
#define SECONDS_MAX (INT64_MAX / NSEC / 2)

static const struct {
    clockid_t id;
    const char *name; /* in timens_offsets */
} kinds[] = {{CLOCK_MONOTONIC, "monotonic"}, {CLOCK_BOOTTIME, "boottime"}};

enum { KINDS = ARRAY_LEN(kinds) };

/* How far the clocks of a process are from those of the first namespace. */
static void read_offsets(const char *path, int64_t ret[KINDS])
{
    _cleanup_buf_ struct buf text = {0};
    memset(ret, 0, KINDS * sizeof(*ret));
    if (file_read(path, &text, NULL) < 0 || !text.data)
        return;
    for (size_t i = 0; i < KINDS; i++) {
        const char *line = strstr(text.data, kinds[i].name);
        int64_t seconds, nanoseconds;
        if (line && sscanf(line, "%*s %" SCNd64 " %" SCNd64, &seconds, &nanoseconds) == 2)
            ret[i] = seconds * NSEC + nanoseconds;
    }
}

/* The clocks of the first namespace; ours may be another. */
static void read_clocks(int64_t ret[KINDS])
{
    int64_t own[KINDS];
    read_offsets("/proc/self/timens_offsets", own);
    for (size_t i = 0; i < KINDS; i++) {
        struct timespec now = {0};
        clock_gettime(kinds[i].id, &now);
        ret[i] = now.tv_sec * NSEC + now.tv_nsec - own[i];
    }
}

/* ---- dump ---- */

int clocks_write(struct dump *d, struct error *err)
{
    int64_t now[KINDS], offsets[KINDS];
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/timens_offsets", d->options.init);
    read_offsets(path, offsets);
    read_clocks(now);
    TimensEntry e = TIMENS_ENTRY__INIT;
    Timespec times[KINDS] = {TIMESPEC__INIT, TIMESPEC__INIT};
    for (size_t i = 0; i < KINDS; i++) {
        times[i].tv_sec = (uint64_t)((now[i] + offsets[i]) / NSEC);
        times[i].tv_nsec = (uint64_t)((now[i] + offsets[i]) % NSEC);
    }
    e.monotonic = &times[0];
    e.boottime = &times[1];
    return image_put(d->sink, IMAGE_TIMENS, 0, &e, err);
}

/* ---- restore ---- */

static bool is_time(const Timespec *t)
{
    return t->tv_sec < (uint64_t)SECONDS_MAX && t->tv_nsec < (uint64_t)NSEC;
}

/* "monotonic -12 500000000": the nanoseconds are never negative. */
static int write_offsets(const struct restore *r, const TimensEntry *e, struct error *err)
{
    const Timespec *dumped[KINDS] = {e->monotonic, e->boottime};
    int64_t now[KINDS];
    char path[64], text[128];
    size_t n = 0;
    read_clocks(now);
    for (size_t i = 0; i < KINDS; i++) {
        int64_t offset = (int64_t)dumped[i]->tv_sec * NSEC + (int64_t)dumped[i]->tv_nsec - now[i];
        int64_t seconds = offset / NSEC - (offset % NSEC < 0);
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %" PRId64 " %" PRId64 "\n",
                              kinds[i].name, seconds, offset - seconds * NSEC);
    }
    snprintf(path, sizeof(path), "/proc/%d/timens_offsets", r->init);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n)
        return error_errno(err, errno, "cannot set the clocks of container %s", r->options.name);
    return 0;
}

/* Nothing is lost before the offsets are written: a namespace for children, of whom there are none,
 * is left again by entering another. */
static int enter(struct maker *m, const TimensEntry *e, struct error *err)
{
    size_t call = batch_try(m->batch, SYS_unshare, CLONE_NEWTIME);
    int n = batch_run(m->batch, err);
    if (n < 0 || batch_result(m->batch, call) < 0)
        return n;
    n = write_offsets(m->restore, e, err);
    if (n < 0)
        return n;
    batch_reset(m->batch);
    int fd = maker_open(m, "/proc/self/ns/time_for_children", O_RDONLY, err);
    if (fd < 0)
        return fd;
    batch_reset(m->batch);
    batch_call(m->batch, "enter a time namespace", SYS_setns, (uint64_t)fd, CLONE_NEWTIME);
    batch_call(m->batch, "close a file", SYS_close, (uint64_t)fd);
    return batch_run(m->batch, err);
}

/* Whether init can name the namespace that it makes. */
static bool has_proc(const struct restore *r)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/root/proc/1/ns/time_for_children", r->init);
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int clocks_restore(struct restore *r, struct error *err)
{
    if (!image_exists(r->dirfd, IMAGE_TIMENS, 0) || !has_proc(r))
        return 0;
    _cleanup_message_ TimensEntry *e = NULL;
    int n = image_get(r->dirfd, IMAGE_TIMENS, 0, (void **)&e, err);
    if (n < 0)
        return n;
    if (!is_time(e->monotonic) || !is_time(e->boottime))
        return error_set(err, EINVAL, "the checkpoint's clocks have wrong times");
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    struct task *init = &r->tree.tasks[0];
    struct maker m = {.restore = r, .task = init, .batch = b};
    batch_start(b, &init->threads[0].puppet);
    n = enter(&m, e, err);
    batch_free(b);
    return n;
}
