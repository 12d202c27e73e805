/* timerfd_create(2): clock, time left, interval, and the expirations nobody has read yet.
 *
 * Timers go on with the time that was left, except absolute ones of the wall clock: those ring when
 * the wall clock says so, at once if it has meanwhile. Their time is in firn-extra.json,
 * "timerfds". */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/clock.h"
#include "base/strv.h"
#include "engine/fdinfo.h"
#include "engine/resources/resource.h"
#include "engine/restore.h"

/* include/uapi/linux/timerfd.h, not in the C library's header. */
#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)

#define NSEC 1000000000ll
/* Two calls without a pause between them. */
#define PROMPT_NS 20000

static bool match(const struct descriptor *f)
{
    return string_equal(f->link, "anon_inode:[timerfd]");
}

static bool is_wall_clock(const TimerfdEntry *e)
{
    return (e->clockid == CLOCK_REALTIME || e->clockid == CLOCK_REALTIME_ALARM) &&
           e->settime_flags & TFD_TIMER_ABSTIME;
}

/* `now` is when the time left was read. */
static void note_wall_time(struct dump *d, const TimerfdEntry *e, int64_t now)
{
    if (!is_wall_clock(e) || (!e->vsec && !e->vnsec))
        return;
    int64_t expires = now + (int64_t)e->vsec * NSEC + (int64_t)e->vnsec;
    js_set(extra_of(d->extra, "timerfds", e->id), "expires", js_int(expires));
}

/* Time left and the time of that are read one after the other, and there may be a pause between:
 * the quickest of a few attempts counts. */
static int time_left(int fd, struct itimerspec *ret, int64_t *ret_now)
{
    int64_t shortest = INT64_MAX;
    for (int i = 0; i < 5 && shortest > PROMPT_NS; i++) {
        struct itimerspec left;
        int64_t before = now_ns();
        if (timerfd_gettime(fd, &left) < 0)
            return -errno;
        int64_t took = now_ns() - before;
        if (took >= shortest || took < 0)
            continue;
        shortest = took;
        *ret = left;
        *ret_now = before + took / 2;
    }
    return shortest == INT64_MAX ? -EAGAIN : 0;
}

static int read_state(const struct descriptor *f, TimerfdEntry *e, int64_t *ret_now)
{
    _cleanup_close_ int fd = descriptor_borrow(f);
    _cleanup_buf_ struct buf text = {0};
    struct itimerspec left = {0};
    /* Asking winds on a periodic timer that has expired; fdinfo would show it as not armed. */
    int r = fd < 0 ? fd : time_left(fd, &left, ret_now);
    if (r == 0)
        r = fdinfo_read(f->task->pid, f->fd, &text);
    uint64_t clock = 0, flags = 0;
    if (r < 0)
        return r;
    if (!fdinfo_number(text.data, "clockid", 10, &clock) ||
        !fdinfo_number(text.data, "ticks", 10, &e->ticks) ||
        !fdinfo_number(text.data, "settime flags", 8, &flags))
        return -ENOTSUP;
    e->clockid = (uint32_t)clock;
    e->settime_flags = (uint32_t)flags;
    e->vsec = (uint64_t)left.it_value.tv_sec, e->vnsec = (uint64_t)left.it_value.tv_nsec;
    e->isec = (uint64_t)left.it_interval.tv_sec, e->insec = (uint64_t)left.it_interval.tv_nsec;
    return 0;
}

static int dump(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err)
{
    TimerfdEntry *e = arena_new_of(d->arena, TimerfdEntry);
    timerfd_entry__init(e);
    e->id = entry->id;
    e->flags = f->flags;
    e->fown = descriptor_owner(d, f);
    int64_t now = 0;
    int r = read_state(f, e, &now);
    if (r < 0)
        return error_errno(err, -r, "cannot read the timerfd of %s", descriptor_name(d, f));
    note_wall_time(d, e, now);
    entry->type = FD_TYPES__TIMERFD;
    entry->tfd = e;
    return 0;
}

/* ---- restore ---- */

static int restore(struct maker *m, const FileEntry *entry, struct error *err)
{
    const TimerfdEntry *e = entry->tfd;
    if (!e)
        return error_set(err, EINVAL, "the checkpoint's timerfd %u is not described", entry->id);
    int fd = (int)maker_call(m, err, "create a timerfd", SYS_timerfd_create, e->clockid, O_CLOEXEC);
    int n = fd < 0 ? fd : maker_flags(m, fd, e->flags, err);
    return n < 0 ? n : fd;
}

/* The kernel wants absolute times when the flags of the last setting said so. `*passed` says that
 * it expires at once. */
static int absolute(struct maker *m, const TimerfdEntry *e, struct timespec *value, bool *passed,
                    struct error *err)
{
    batch_reset(m->batch);
    remote_addr at = batch_room(m->batch, sizeof(struct timespec));
    int64_t n =
        maker_call(m, err, "read the clock of a timerfd", SYS_clock_gettime, e->clockid, at);
    if (n < 0)
        return (int)n;
    struct timespec now = *(const struct timespec *)batch_local(m->batch, at);
    const struct json *extra = extra_find(m->restore->extra, "timerfds", e->id);
    int64_t expires = is_wall_clock(e) ? js_get_int(extra, "expires", 0) : 0;
    if (expires > 0) {
        *value = (struct timespec){expires / NSEC, expires % NSEC};
        *passed = expires <= now.tv_sec * NSEC + now.tv_nsec;
        return 0;
    }
    value->tv_sec += now.tv_sec + (value->tv_nsec + now.tv_nsec) / NSEC;
    value->tv_nsec = (value->tv_nsec + now.tv_nsec) % NSEC;
    return 0;
}

/* Armed late, so that little of the time that was left is spent here. */
static int finish(struct maker *m, const FileEntry *entry, int fd, struct error *err)
{
    const TimerfdEntry *e = entry->tfd;
    uint32_t flags = e->settime_flags & (TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
    struct itimerspec t = {
        .it_value = {(time_t)(e->vsec & INT64_MAX >> 1), (long)e->vnsec},
        .it_interval = {(time_t)e->isec, (long)e->insec},
    };
    if (e->vnsec >= (uint64_t)NSEC || e->insec >= (uint64_t)NSEC)
        return error_set(err, EINVAL, "the checkpoint's timerfd %u has a wrong time", e->id);
    bool armed = e->vsec || e->vnsec, passed = false;
    int n = armed && flags & TFD_TIMER_ABSTIME ? absolute(m, e, &t.it_value, &passed, err) : 0;
    if (n < 0)
        return n;
    uint64_t ticks = e->ticks + passed;
    batch_reset(m->batch);
    batch_call(m->batch, "arm a timerfd", SYS_timerfd_settime, (uint64_t)fd, flags,
               batch_data(m->batch, &t, sizeof(t)), 0);
    if (e->ticks)
        batch_call(m->batch, "set the expirations of a timerfd", SYS_ioctl, (uint64_t)fd,
                   TFD_IOC_SET_TICKS, batch_data(m->batch, &ticks, sizeof(ticks)));
    return batch_run(m->batch, err);
}

const struct resource resource_timerfd = {
    .name = "timerfd",
    .type = FD_TYPES__TIMERFD,
    .match = match,
    .dump = dump,
    .restore = restore,
    .finish = finish,
};
