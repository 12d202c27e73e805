/* POSIX timers: timer_create(2); /proc/PID/timers lists ids, signals and clocks. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/io.h"
#include "engine/kernel.h"
#include "engine/state.h"

#define TIMERS_MAX 1000

struct asked {
    size_t count;
    struct {
        PosixTimerEntry *entry;
        remote_addr value;
        size_t overrun;
    } timers[TIMERS_MAX];
};

/* A thread of the task by our tid, as it is numbered inside. */
static pid_t inside_tid(const struct task *t, pid_t tid)
{
    for (size_t i = 0; i < t->thread_count; i++)
        if (t->threads[i].puppet.tid == tid)
            return t->threads[i].puppet.vtid;
    return 0;
}

static const char *line_value(const char *block, const char *key)
{
    const char *p = strstr(block, key);
    return p ? p + strlen(key) : "";
}

/* "ID: 1\nsignal: 14/00007fff\nnotify: signal/tid.812\nClockID: 0\n" */
static PosixTimerEntry *parse(struct look *l, const char *block)
{
    PosixTimerEntry *e = arena_new_of(l->dump->arena, PosixTimerEntry);
    posix_timer_entry__init(e);
    int signal = 0;
    uint64_t value = 0;
    sscanf(line_value(block, "signal: "), "%d/%" SCNx64, &signal, &value);
    const char *notify = line_value(block, "notify: ");
    char how[16] = "", target[8] = "";
    int tid = 0;
    sscanf(notify, "%15[a-z]/%7[a-z].%d", how, target, &tid);
    e->it_id = (uint32_t)strtoul(line_value(block, "ID: "), NULL, 10);
    e->clock_id = (uint32_t)strtol(line_value(block, "ClockID: "), NULL, 10);
    e->si_signo = (uint32_t)signal;
    e->sival_ptr = value;
    e->it_sigev_notify = strcmp(how, "none") == 0     ? SIGEV_NONE
                         : strcmp(how, "thread") == 0 ? SIGEV_THREAD
                                                      : SIGEV_SIGNAL;
    if (strcmp(target, "tid") == 0) {
        e->it_sigev_notify |= SIGEV_THREAD_ID;
        e->has_notify_thread_id = true;
        e->notify_thread_id = inside_tid(l->task, tid);
    }
    return e;
}

static void *ask(struct look *l)
{
    struct asked *a = arena_new_of(l->dump->arena, struct asked);
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/timers", l->task->pid);
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, &text, NULL) < 0 || !text.data)
        return a;
    for (const char *block = strstr(text.data, "ID: "); block && *block;) {
        const char *next = strstr(block + 1, "\nID: ");
        if (a->count == TIMERS_MAX || !batch_fits(l->batch, 8, 256)) {
            a->count = TIMERS_MAX + 1;
            return a;
        }
        PosixTimerEntry *e = parse(l, block);
        a->timers[a->count].entry = e;
        a->timers[a->count].value = look_room(l, struct itimerspec);
        batch_call(l->batch, "read its POSIX timers", SYS_timer_gettime, e->it_id,
                   a->timers[a->count].value);
        a->timers[a->count].overrun = batch_try(l->batch, SYS_timer_getoverrun, e->it_id);
        a->count++;
        block = next ? next + 1 : NULL;
    }
    return a;
}

static int take(struct look *l, void *asked, struct error *err)
{
    struct asked *a = asked;
    TaskTimersEntry *timers = l->thread->core->tc->timers;
    if (a->count > TIMERS_MAX)
        return error_set(err, ENOTSUP, "process %d of container %s has too many POSIX timers",
                         l->task->vpid, l->dump->options.name);
    timers->posix = arena_array_of(l->dump->arena, PosixTimerEntry *, a->count);
    timers->n_posix = a->count;
    for (size_t i = 0; i < a->count; i++) {
        PosixTimerEntry *e = timers->posix[i] = a->timers[i].entry;
        const struct itimerspec *v = look_local(l, struct itimerspec, a->timers[i].value);
        int64_t overrun = batch_result(l->batch, a->timers[i].overrun);
        e->isec = (uint64_t)v->it_interval.tv_sec, e->insec = (uint64_t)v->it_interval.tv_nsec;
        e->vsec = (uint64_t)v->it_value.tv_sec, e->vnsec = (uint64_t)v->it_value.tv_nsec;
        e->overrun = overrun > 0 ? (uint32_t)overrun : 0;
        if (e->it_sigev_notify & SIGEV_THREAD_ID && !e->notify_thread_id)
            return error_set(err, ENOTSUP,
                             "process %d of container %s has a POSIX timer for a thread that has "
                             "ended",
                             l->task->vpid, l->dump->options.name);
    }
    return 0;
}

static void create(struct revival *v, const PosixTimerEntry *e)
{
    struct sigevent event = {0};
    event.sigev_value.sival_ptr = (void *)e->sival_ptr;
    event.sigev_signo = (int)e->si_signo;
    event.sigev_notify = (int)e->it_sigev_notify;
    if (e->has_notify_thread_id)
        event._sigev_un._tid = e->notify_thread_id;
    int id = (int)e->it_id;
    batch_call(v->batch, "create a POSIX timer", SYS_timer_create, (uint64_t)(int)e->clock_id,
               batch_data(v->batch, &event, sizeof(event)), batch_data(v->batch, &id, sizeof(id)));
}

static void arm(struct revival *v, const PosixTimerEntry *e)
{
    struct itimerspec t = {
        .it_interval = {(time_t)e->isec, (long)e->insec},
        .it_value = {(time_t)e->vsec, (long)e->vnsec},
    };
    if (!t.it_value.tv_sec && !t.it_value.tv_nsec)
        t.it_value = t.it_interval;
    if (t.it_value.tv_sec || t.it_value.tv_nsec)
        batch_call(v->batch, "arm a POSIX timer", SYS_timer_settime, e->it_id, 0,
                   batch_data(v->batch, &t, sizeof(t)), 0);
}

/* Since Linux 6.15 the wanted id can be given. Before, ids of a fresh process count up from 0:
 * create and delete until it comes. */
static void skip_ids(struct revival *v, uint32_t from, uint32_t to)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    remote_addr at = batch_data(v->batch, &event, sizeof(event));
    for (uint32_t id = from; id < to && batch_fits(v->batch, 4, 64); id++) {
        batch_call(v->batch, "create a POSIX timer", SYS_timer_create, CLOCK_MONOTONIC, at,
                   batch_data(v->batch, &id, sizeof(id)));
        batch_try(v->batch, SYS_timer_delete, id);
    }
}

static int restore(struct revival *v, struct error *err)
{
    const TaskTimersEntry *timers = v->thread->core->tc->timers;
    if (!timers || !timers->n_posix)
        return 0;
    /* The outcome of the first call decides, so it cannot be in the same batch. */
    size_t by_id = batch_try(v->batch, SYS_prctl, PR_TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0);
    int r = batch_run(v->batch, err);
    if (r < 0)
        return r;
    bool exact = batch_result(v->batch, by_id) >= 0;
    uint32_t next = 0;
    for (size_t i = 0; i < timers->n_posix; i++) {
        const PosixTimerEntry *e = timers->posix[i];
        if (!exact)
            skip_ids(v, next, e->it_id);
        create(v, e);
        next = e->it_id + 1;
    }
    if (exact)
        batch_call(v->batch, "leave timer restore mode", SYS_prctl, PR_TIMER_CREATE_RESTORE_IDS, 0,
                   0, 0, 0);
    for (size_t i = 0; i < timers->n_posix; i++)
        arm(v, timers->posix[i]);
    return 0;
}

const struct state_part state_posix_timers = {"POSIX timers", ask, take, restore};
