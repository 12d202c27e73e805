#include "engine/freeze.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/kernel.h"

/* How long all may be kept standing for one that cannot be stopped: at first, and at most. */
#define HOLD_US     400000
#define HOLD_MAX_US 12800000
/* How long to sleep between two looks, how often to ask whether to go on, how long to wait for
 * those that are let go. */
#define LOOK_US     30
#define ASK_US      20000
#define BACK_OFF_US 400000
/* How long a process may take from its start to its program. */
#define START_US 5000000

/* ---- the set of threads ---- */

static size_t slot(const struct freezer *f, pid_t tid)
{
    size_t i = ((uint32_t)tid * 2654435761u) & (f->index_size - 1);
    while (f->index[i] && f->threads[f->index[i] - 1].tid != tid)
        i = (i + 1) & (f->index_size - 1);
    return i;
}

static struct frozen *find(const struct freezer *f, pid_t tid)
{
    if (!f->index_size)
        return NULL;
    size_t i = slot(f, tid);
    return f->index[i] ? &f->threads[f->index[i] - 1] : NULL;
}

static void grow_index(struct freezer *f)
{
    free(f->index);
    f->index_size = f->index_size ? f->index_size * 2 : 64;
    f->index = xcalloc(f->index_size, sizeof(*f->index));
    for (size_t i = 0; i < f->count; i++)
        f->index[slot(f, f->threads[i].tid)] = (uint32_t)i + 1;
}

static struct frozen *add(struct freezer *f, pid_t tid, pid_t process)
{
    if (2 * (f->count + 1) > f->index_size)
        grow_index(f);
    array_reserve(f->threads, f->count, f->room);
    f->threads[f->count] = (struct frozen){.tid = tid, .process = process};
    f->index[slot(f, tid)] = (uint32_t)++f->count;
    return &f->threads[f->count - 1];
}

static void forget(struct frozen *t)
{
    t->gone = t->stopped = true;
}

/* ---- members of the tree ---- */

/* The kernel's highest, PID_MAX_LIMIT. */
#define PIDS (4u << 20)

struct walk {
    int (*each)(pid_t pid, void *context);
    void *context;
    uint8_t *seen; /* a bit for each pid */
};

static bool is_seen(struct walk *w, pid_t pid)
{
    uint8_t bit = (uint8_t)(1u << (pid & 7));
    if (pid <= 0 || (unsigned)pid >= PIDS || w->seen[pid >> 3] & bit)
        return true;
    w->seen[pid >> 3] |= bit;
    return false;
}

static int each_number(const char *text, int (*each)(pid_t, void *), void *context)
{
    char *end;
    for (;; text = end) {
        long pid = strtol(text, &end, 10);
        if (end == text)
            return 0;
        int r = each((pid_t)pid, context);
        if (r < 0)
            return r;
    }
}

static int walk_cgroup(const char *dir, struct walk *w)
{
    _cleanup_buf_ struct buf procs = {0};
    _cleanup_free_ char *path = path_join(dir, "cgroup.procs");
    if (file_read(path, &procs, NULL) < 0)
        return 0; /* it may vanish while we look */
    int r = each_number(procs.data ? procs.data : "", w->each, w->context);
    _cleanup_closedir_ DIR *d = opendir(dir);
    for (struct dirent *e; r >= 0 && d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *sub = path_join(dir, e->d_name);
        r = walk_cgroup(sub, w);
    }
    return r;
}

static int walk_descendants(pid_t pid, struct walk *w);

static int walk_child(pid_t pid, void *context)
{
    return walk_descendants(pid, context);
}

static int walk_descendants(pid_t pid, struct walk *w)
{
    int r = is_seen(w, pid) ? 0 : w->each(pid, w->context);
    if (r <= 0)
        return r;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    _cleanup_closedir_ DIR *d = opendir(path);
    for (struct dirent *e; r >= 0 && d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        char list[128];
        snprintf(list, sizeof(list), "/proc/%d/task/%.20s/children", pid, e->d_name);
        _cleanup_buf_ struct buf children = {0};
        if (file_read(list, &children, NULL) == 0 && children.data)
            r = each_number(children.data, walk_child, w);
    }
    return r;
}

static int member_and_descendants(pid_t pid, void *context)
{
    return walk_descendants(pid, context);
}

/* Every process of the pid namespace of `init`, its own exec'ed processes included, which no cgroup
 * tells us of. Nothing if that namespace is ours. */
static int walk_namespace(pid_t init, struct walk *w)
{
    char wanted[64], own[64], link[64];
    if (proc_link(init, "ns/pid", wanted, sizeof(wanted)) < 0 ||
        proc_link(getpid(), "ns/pid", own, sizeof(own)) < 0 || string_equal(wanted, own))
        return 0;
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    int r = 0;
    for (struct dirent *e; r >= 0 && proc && (e = readdir(proc));) {
        pid_t pid = (pid_t)atoi(e->d_name);
        if (pid > 0 && proc_link(pid, "ns/pid", link, sizeof(link)) == 0 &&
            strcmp(link, wanted) == 0)
            r = is_seen(w, pid) ? 0 : w->each(pid, w->context);
    }
    return r;
}

int each_member(const struct dump_options *o, int (*each)(pid_t pid, void *context), void *context,
                struct error *err)
{
    _cleanup_free_ uint8_t *seen = xcalloc(1, PIDS / 8);
    struct walk w = {each, context, seen};
    int r = walk_descendants(o->init, &w);
    if (r < 0)
        return r;
    if (!o->cgroup)
        return walk_namespace(o->init, &w);
    struct walk from_cgroup = {member_and_descendants, &w, NULL};
    return walk_cgroup(o->cgroup, &from_cgroup);
}

/* ---- stopping ---- */

struct scan {
    struct freezer *f;
    struct error *err;
    const struct dump_options *o;
    pid_t process;
    size_t found;
};

/* Suspending filters wants real root. That it is refused is known only if the same thread can be
 * seized without; a zombie can be neither way. */
static int seize(struct freezer *f, int tid)
{
    if (f->seccomp_suspended &&
        ptrace(PTRACE_SEIZE, tid, 0, puppet_options | PTRACE_O_SUSPEND_SECCOMP) == 0)
        return 0;
    if (f->seccomp_suspended && errno != EPERM)
        return -errno;
    if (ptrace(PTRACE_SEIZE, tid, 0, puppet_options) < 0)
        return -errno;
    f->seccomp_suspended = false;
    return 0;
}

/* It may be gone, or a zombie, or ours from birth, before we were told of it: then its stop comes.
 */
static int not_seized(struct scan *s, int tid, int code)
{
    struct process_stat st;
    struct proc_status status = {0};
    if (code == -ESRCH || process_stat_read(s->process, tid, &st) < 0 || st.state == 'Z' ||
        st.state == 'X' || proc_status_read(s->process, tid, &status) < 0)
        return 0;
    if (status.tracer == getpid()) {
        add(s->f, tid, s->process);
        s->found++;
        return 0;
    }
    if (status.tracer)
        return error_set(s->err, EPERM,
                         "process %d (%s) of container %s is traced by process %d (a debugger or "
                         "strace): it can be checkpointed when that has ended",
                         status.vpid, st.comm, s->o->name, status.tracer);
    return error_errno(s->err, -code, "cannot take control of process %d (%s) of container %s",
                       status.vpid, st.comm, s->o->name);
}

static int seize_thread(int tid, void *context)
{
    struct scan *s = context;
    if (find(s->f, tid))
        return 0;
    int r = seize(s->f, tid);
    if (r < 0)
        return not_seized(s, tid, r);
    ptrace(PTRACE_INTERRUPT, tid, 0, 0);
    add(s->f, tid, s->process);
    s->found++;
    return 0;
}

static int seize_process(pid_t pid, void *context)
{
    struct scan *s = context;
    size_t before = s->found, last;
    int r;
    s->process = pid;
    do {
        last = s->found;
        r = proc_each(pid, "task", seize_thread, s);
    } while (r == 0 && s->found > last);
    if (r < 0)
        return r == -ENOENT || r == -ESRCH ? 0 : r;
    return s->found > before; /* the children of the others are ours from birth, or were seen */
}

/* Calls that fail with EINTR for nothing but our interrupt, see signal(7). */
static const long interrupted[] = {
#ifdef SYS_epoll_wait
    SYS_epoll_wait,
#endif
    SYS_epoll_pwait,  SYS_epoll_pwait2, SYS_rt_sigtimedwait, SYS_semop,    SYS_semtimedop,
    SYS_io_getevents, SYS_recvfrom,     SYS_recvmsg,         SYS_recvmmsg, SYS_sendto,
    SYS_sendmsg,      SYS_sendmmsg,     SYS_accept,          SYS_accept4,  SYS_connect,
};

/* They begin again, with all of their time, unless a signal handler runs first. */
static void hide_interruption(pid_t tid)
{
    enum { ERESTARTNOHAND_ = 514 };
    struct registers r;
    if (registers_get(tid, &r) < 0 || registers_result(&r) != -EINTR)
        return;
    for (size_t i = 0; i < ARRAY_LEN(interrupted); i++)
        if (registers_syscall(&r) == interrupted[i]) {
            registers_set_result(&r, -ERESTARTNOHAND_);
            registers_set(tid, &r);
        }
}

int freeze_thread(const struct freezer *f, pid_t tid, int64_t timeout_us)
{
    struct freezer like = {.seccomp_suspended = f->seccomp_suspended};
    int64_t deadline = monotonic_us() + timeout_us;
    int r = seize(&like, tid), status;
    if (r < 0 || ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
        return r < 0 ? r : -errno;
    while (monotonic_us() < deadline) {
        int signal = 0;
        pid_t pid = waitpid(tid, &status, __WALL | WNOHANG);
        enum stop stop = pid > 0 ? stop_decode(status, &signal) : STOP_OTHER;
        if (stop == STOP_GONE || pid < 0)
            return -ESRCH;
        if (stop == STOP_TRAP || stop == STOP_GROUP) {
            hide_interruption(tid);
            return 0;
        }
        if (pid > 0)
            ptrace(PTRACE_CONT, tid, 0, stop == STOP_SIGNAL ? signal : 0);
        else
            nanosleep(&(struct timespec){.tv_nsec = LOOK_US * 1000}, NULL);
    }
    return -ETIMEDOUT;
}

static void handle_stop(struct freezer *f, pid_t tid, int status)
{
    int signal = 0;
    enum stop stop = stop_decode(status, &signal);
    struct frozen *t = find(f, tid);
    if (!t)
        t = add(f, tid, 0); /* a child that was born into our hands before we were told of it */
    switch (stop) {
    case STOP_GONE:
        forget(t);
        return;
    case STOP_TRAP:
    case STOP_GROUP:
        hide_interruption(tid);
        t->stopped = true;
        t->stop_signal = stop == STOP_GROUP ? signal : 0;
        return;
    default:
        /* A signal about to be delivered is delivered; events are passed. The interrupt is still
         * pending, so the next stop is the one we want. */
        ptrace(PTRACE_INTERRUPT, tid, 0, 0);
        ptrace(PTRACE_CONT, tid, 0, stop == STOP_SIGNAL ? signal : 0);
    }
}

static struct frozen *first_running(const struct freezer *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (!f->threads[i].stopped)
            return &f->threads[i];
    return NULL;
}

/* A first thread that has ended is not reported before all others have. */
static bool has_ended(const struct frozen *t)
{
    struct process_stat st;
    return process_stat_read(t->tid, 0, &st) < 0 || st.state == 'Z' || st.state == 'X';
}

static size_t count_running(struct freezer *f)
{
    size_t running = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct frozen *t = &f->threads[i];
        if (!t->stopped && has_ended(t))
            forget(t);
        running += !t->stopped;
    }
    return running;
}

static bool is_cancelled(const struct dump_options *o)
{
    return o->cancelled && o->cancelled(o->context);
}

/* waitpid(-1) would look at every thread each time: those that are known are asked one by one.
 * Returns how many had something to tell. */
static size_t collect_known(struct freezer *f)
{
    size_t told = 0;
    for (size_t i = 0; i < f->count; i++) {
        int status;
        pid_t tid = f->threads[i].tid;
        pid_t got = f->threads[i].stopped ? 0 : waitpid(tid, &status, __WALL | WNOHANG);
        if (got == tid)
            handle_stop(f, tid, status);
        else if (got < 0 && errno == ECHILD)
            forget(&f->threads[i]); /* another thread's exec has taken its place */
        told += got != 0;
    }
    return told;
}

/* Takes what has happened, births included; how many had something to tell. */
static size_t take_events(struct freezer *f)
{
    int status;
    size_t told = collect_known(f);
    for (pid_t tid; told == 0 && (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0; told++)
        handle_stop(f, tid, status);
    return told;
}

/* Whoever is in vfork waits for its child to call exec, and we may have stopped that. */
static bool is_in_vfork(pid_t tid)
{
    char path[64], text[128];
    struct process_stat st;
    snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
    if (process_stat_read(tid, 0, &st) < 0 || st.state != 'D' ||
        file_read_line(path, text, sizeof(text)) < 0)
        return false;
    long number = strtol(text, NULL, 10);
    return number == SYS_vfork || number == SYS_clone || number == SYS_clone3;
}

/* Waits until all stand still or the attempt is over. */
static int collect(const struct dump_options *o, struct freezer *f, int64_t deadline_us)
{
    for (int64_t asked = monotonic_us(); first_running(f);) {
        if (take_events(f))
            continue;
        int64_t now = monotonic_us();
        if (now > asked + ASK_US) {
            asked = now;
            if (is_cancelled(o))
                return -ECANCELED;
            struct frozen *t = first_running(f);
            if (has_ended(t))
                forget(t);
            else if (is_in_vfork(t->tid))
                return -ETIMEDOUT;
        }
        if (now > deadline_us)
            return -ETIMEDOUT;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_US * 1000}, NULL);
    }
    return 0;
}

void thaw(struct freezer *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->threads[i].stopped && !f->threads[i].gone)
            ptrace(PTRACE_DETACH, f->threads[i].tid, 0, 0);
    freezer_free(f);
}

void freezer_free(struct freezer *f)
{
    free(f->threads);
    free(f->index);
    *f = (struct freezer){.seccomp_suspended = f->seccomp_suspended};
}

static int attempt(const struct dump_options *o, struct freezer *f, int64_t hold_us,
                   struct error *err)
{
    int64_t deadline = monotonic_us() + hold_us;
    struct scan s = {.f = f, .err = err, .o = o};
    do {
        s.found = 0;
        int r = each_member(o, seize_process, &s, err);
        if (r < 0)
            return r;
        r = collect(o, f, deadline);
        if (r < 0)
            return r;
    } while (s.found);
    return 0;
}

/* Lets everything go: what is not stopped yet is waited for, or let go by our own death. */
static void back_off(struct freezer *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->threads[i].stopped && !f->threads[i].gone)
            ptrace(PTRACE_DETACH, f->threads[i].tid, 0, 0);
    int64_t deadline = monotonic_us() + BACK_OFF_US;
    for (size_t i = 0; i < f->count; i++) {
        int status;
        pid_t tid = f->threads[i].tid, got = 0;
        while (!f->threads[i].stopped && monotonic_us() < deadline &&
               (got = waitpid(tid, &status, __WALL | WNOHANG)) == 0)
            nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        int signal = 0;
        if (got == tid && stop_decode(status, &signal) != STOP_GONE)
            ptrace(PTRACE_DETACH, tid, 0, stop_decode(status, &signal) == STOP_SIGNAL ? signal : 0);
    }
    freezer_free(f);
}

/* A process that the OCI runtime has made and that is just about to execute its program still runs
 * the runtime, from a copy in a memfd or a mount of its own: there is nothing to save of it yet. */
static bool is_the_runtime(pid_t process)
{
    char exe[256];
    return proc_link(process, "exe", exe, sizeof(exe)) == 0 &&
           (strcmp(exe, "/") == 0 || string_starts(exe, "/memfd:crun") ||
            string_starts(exe, "/memfd:runc"));
}

static bool somebody_starts(const struct freezer *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->threads[i].tid == f->threads[i].process && !f->threads[i].gone &&
            is_the_runtime(f->threads[i].process))
            return true;
    return false;
}

int freeze_started(const struct dump_options *o, struct freezer *f, struct error *err)
{
    int64_t deadline = monotonic_us() + START_US;
    for (;;) {
        int r = freeze(o, f, err);
        if (r < 0 || !somebody_starts(f) || monotonic_us() > deadline)
            return r;
        thaw(f);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

/* ---- those that cannot be stopped ---- */

/* Who it is and what it waits for. */
struct blocker {
    pid_t vpid;
    char comm[64];
    bool in_vfork;
};

/* The first of them. */
static struct blocker describe_blocker(const struct freezer *f)
{
    struct blocker b = {.comm = "?"};
    const struct frozen *t = first_running(f);
    struct proc_status status;
    struct process_stat st;
    if (!t || proc_status_read(t->tid, t->tid, &status) < 0)
        return b;
    b.in_vfork = is_in_vfork(t->tid);
    if (process_stat_read(status.process, 0, &st) == 0)
        memcpy(b.comm, st.comm, sizeof(b.comm));
    if (proc_status_read(status.process, status.process, &status) == 0)
        b.vpid = status.vpid;
    return b;
}

static const char *reason(const struct blocker *b)
{
    return b->in_vfork ? "until its vfork child has called exec"
                       : "while it waits in the kernel for a disk or a file server";
}

/* The interrupt stays pending for those that run; one that stops goes on as long as others are to
 * come: they may need it. The last one is kept, since it is hard to get. */
static void let_go_stopped(struct freezer *f)
{
    struct freezer kept = {.seccomp_suspended = f->seccomp_suspended};
    size_t running = count_running(f), last = f->count;
    for (size_t i = 0; running == 0 && i < f->count; i++)
        if (!f->threads[i].gone)
            last = i;
    for (size_t i = 0; i < f->count; i++) {
        const struct frozen *t = &f->threads[i];
        if (t->gone)
            continue;
        if (t->stopped && i != last)
            ptrace(PTRACE_DETACH, t->tid, 0, 0);
        else
            *add(&kept, t->tid, t->process) = *t;
    }
    freezer_free(f);
    *f = kept;
}

static int give_up(const struct dump_options *o, const struct blocker *b, struct error *err)
{
    return error_kind_set(err, ERROR_CANCELLED,
                          "the checkpoint of container %s was cancelled: process %d (%s) could not "
                          "be stopped %s",
                          o->name, b->vpid, b->comm, reason(b));
}

/* Without end: a dump is broken off by whoever wants it, not by a slow disk. */
static int wait_for_blockers(const struct dump_options *o, struct freezer *f, int64_t since_us,
                             bool *ret_vfork, struct error *err)
{
    let_go_stopped(f);
    for (int64_t asked = 0; first_running(f);) {
        int64_t now = monotonic_us();
        struct blocker b;
        if (now > asked + ASK_US) {
            asked = now;
            b = describe_blocker(f);
            *ret_vfork |= b.in_vfork;
            if (o->waiting)
                o->waiting(o->context, b.vpid, b.comm, reason(&b), now - since_us);
            if (is_cancelled(o))
                return give_up(o, &b, err);
            count_running(f);
        }
        if (take_events(f))
            let_go_stopped(f);
        nanosleep(&(struct timespec){.tv_nsec = 10 * LOOK_US * 1000}, NULL);
    }
    return 0;
}

int freeze(const struct dump_options *o, struct freezer *f, struct error *err)
{
    *f = (struct freezer){.seccomp_suspended = true};
    int64_t begin = monotonic_us();
    for (int64_t hold = HOLD_US;;) {
        bool in_vfork = false;
        int r = attempt(o, f, hold, err);
        if (r == -ETIMEDOUT)
            r = wait_for_blockers(o, f, begin, &in_vfork, err);
        else if (r == 0)
            return 0;
        if (r == -ECANCELED && !err->code)
            error_kind_set(err, ERROR_CANCELLED, "the checkpoint of container %s was cancelled",
                           o->name);
        if (r < 0) {
            back_off(f);
            return r;
        }
        /* Whoever is in vfork waits for one that we keep standing. */
        if (!in_vfork && hold < HOLD_MAX_US)
            hold *= 2;
    }
}
