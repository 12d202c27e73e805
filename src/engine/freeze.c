#include "engine/freeze.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/kernel.h"

/* How long one attempt may take, and how often to let everything go and try again: a parent in
 * vfork cannot be stopped before its child, which we may just have stopped, has called exec. */
#define ATTEMPT_US 400000
#define ATTEMPTS   12
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

struct walk {
    int (*each)(pid_t pid, void *context);
    void *context;
};

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
    int r = w->each(pid, w->context);
    if (r < 0)
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
            r = w->each(pid, w->context);
    }
    return r;
}

int each_member(const struct dump_options *o, int (*each)(pid_t pid, void *context), void *context,
                struct error *err)
{
    struct walk w = {each, context};
    int r = walk_descendants(o->init, &w);
    if (r < 0)
        return r;
    if (!o->cgroup)
        return walk_namespace(o->init, &w);
    struct walk from_cgroup = {member_and_descendants, &w};
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
    s->process = pid;
    int r = proc_each(pid, "task", seize_thread, s);
    return r == -ENOENT || r == -ESRCH ? 0 : r;
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

static const struct frozen *first_running(const struct freezer *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (!f->threads[i].stopped)
            return &f->threads[i];
    return NULL;
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

/* Waits until all stand still or the attempt is over. */
static int collect(struct freezer *f, int64_t deadline_us)
{
    while (first_running(f)) {
        int status;
        if (collect_known(f))
            continue;
        pid_t tid = waitpid(-1, &status, __WALL | WNOHANG);
        if (tid > 0) {
            handle_stop(f, tid, status);
            continue;
        }
        if ((tid < 0 && errno != EINTR) || monotonic_us() > deadline_us)
            return -ETIMEDOUT;
        nanosleep(&(struct timespec){.tv_nsec = 30000}, NULL);
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

static int attempt(const struct dump_options *o, struct freezer *f, struct error *err)
{
    int64_t deadline = monotonic_us() + ATTEMPT_US;
    struct scan s = {.f = f, .err = err, .o = o};
    do {
        s.found = 0;
        int r = each_member(o, seize_process, &s, err);
        if (r < 0)
            return r;
        if (collect(f, deadline) < 0)
            return -ETIMEDOUT;
    } while (s.found);
    return 0;
}

/* Lets everything go: what is not stopped yet is waited for, or let go by our own death. */
static void back_off(struct freezer *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->threads[i].stopped && !f->threads[i].gone)
            ptrace(PTRACE_DETACH, f->threads[i].tid, 0, 0);
    int64_t deadline = monotonic_us() + ATTEMPT_US;
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

int freeze(const struct dump_options *o, struct freezer *f, struct error *err)
{
    *f = (struct freezer){.seccomp_suspended = true};
    for (int i = 0; i < ATTEMPTS; i++) {
        int r = attempt(o, f, err);
        if (r == 0)
            return 0;
        const struct frozen *t = first_running(f);
        struct proc_status s = {0};
        if (t && r == -ETIMEDOUT)
            proc_status_read(t->process, t->tid, &s);
        back_off(f);
        if (r != -ETIMEDOUT)
            return r;
        error_set(err, ETIMEDOUT,
                  "process %d of container %s cannot be stopped: it waits in the kernel without "
                  "interruption (for a vfork child that has not called exec, or for a disk)",
                  s.vpid, o->name);
        if (o->cancelled && o->cancelled(o->context))
            return error_kind_set(err, ERROR_CANCELLED, "cancelled");
    }
    return -ETIMEDOUT;
}
