/* Seccomp filters, per thread, oldest first. Read by PTRACE_SECCOMP_GET_FILTER, which wants real
 * root; installed again while PTRACE_O_SUSPEND_SECCOMP keeps them from biting the puppet. In the
 * image every filter stands once and names the one installed before it. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "base/alloc.h"
#include "engine/kernel.h"
#include "engine/restore.h"
#include "engine/state.h"

/* The kernel's own limit on the instructions of all filters of a thread is 32768. */
#define FILTERS_MAX 512

static int read_filter(struct look *l, uint64_t index, SeccompFilter *f)
{
    struct sock_filter code[BPF_MAXINSNS];
    pid_t tid = l->thread->puppet.tid;
    long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, code);
    if (n < 0)
        return -errno;
    struct firn_seccomp_metadata meta = {.filter_off = index};
    seccomp_filter__init(f);
    f->filter.len = (size_t)n * sizeof(code[0]);
    f->filter.data = arena_memdup(l->dump->arena, code, f->filter.len);
    f->has_flags = ptrace((enum __ptrace_request)FIRN_PTRACE_SECCOMP_GET_METADATA, tid,
                          sizeof(meta), &meta) > 0 &&
                   meta.flags;
    f->flags = f->has_flags ? (uint32_t)meta.flags : 0;
    return 0;
}

static bool same(const SeccompFilter *a, const SeccompFilter *b)
{
    return a->has_prev == b->has_prev && (!a->has_prev || a->prev == b->prev) &&
           a->flags == b->flags && a->filter.len == b->filter.len &&
           memcmp(a->filter.data, b->filter.data, a->filter.len) == 0;
}

/* The index of the filter in the image. */
static uint32_t intern(struct dump *d, const SeccompFilter *f)
{
    for (size_t i = 0; i < d->filter_count; i++)
        if (same(d->filters[i], f))
            return (uint32_t)i;
    array_reserve(d->filters, d->filter_count, d->filter_room);
    d->filters[d->filter_count] = arena_memdup(d->arena, f, sizeof(*f));
    return (uint32_t)d->filter_count++;
}

/* Where the kernel does not show filters there is only the runtime's, see filter-check.h. */
static int take_runtime_filter(struct look *l, SeccompFilter *f)
{
    const struct dump_options *o = &l->dump->options;
    seccomp_filter__init(f);
    f->filter.len = o->runtime_filter_size;
    f->filter.data = arena_memdup(l->dump->arena, o->runtime_filter, f->filter.len);
    return o->runtime_filter_size && l->thread->status.seccomp_filters == 1 ? 0 : -EACCES;
}

static int take(struct look *l, void *asked, struct error *err)
{
    ThreadCoreEntry *thc = l->thread->core->thread_core;
    thc->has_seccomp_mode = true;
    thc->seccomp_mode = SECCOMP_MODE__disabled;
    if (l->thread->status.seccomp == 0)
        return 0;
    if (l->thread->status.seccomp != SECCOMP_MODE_FILTER)
        return error_set(err, ENOTSUP, "process %d (%s) of container %s is in strict seccomp mode",
                         l->task->vpid, l->task->stat.comm, l->dump->options.name);
    SeccompFilter chain[FILTERS_MAX];
    uint64_t count = 0;
    int r = 0;
    while (count < FILTERS_MAX && (r = read_filter(l, count, &chain[count])) == 0)
        count++;
    if (count == 0 && (r == -EACCES || r == -EPERM) && take_runtime_filter(l, &chain[0]) == 0) {
        count = 1;
        r = -ENOENT;
    }
    if (r != -ENOENT || count == 0)
        return error_errno(err, r < 0 ? -r : E2BIG,
                           "cannot read the seccomp filters of process %d of container %s "
                           "(CAP_SYS_ADMIN in the initial user namespace is needed)",
                           l->task->vpid, l->dump->options.name);
    /* Index 0 is the oldest. */
    for (uint64_t i = 0; i < count; i++) {
        chain[i].has_prev = i > 0;
        chain[i].prev = i > 0 ? thc->seccomp_filter : 0;
        thc->seccomp_filter = intern(l->dump, &chain[i]);
    }
    thc->has_seccomp_filter = true;
    thc->seccomp_mode = SECCOMP_MODE__filter;
    return 0;
}

static int install(struct revival *v, const SeccompFilter *f, struct error *err)
{
    if (f->filter.len % sizeof(struct sock_filter) || f->filter.len == 0 ||
        f->filter.len / sizeof(struct sock_filter) > BPF_MAXINSNS)
        return error_set(err, EINVAL, "the checkpoint holds a seccomp filter of a wrong size");
    struct sock_fprog program = {
        .len = (unsigned short)(f->filter.len / sizeof(struct sock_filter)),
        .filter = (void *)batch_data(v->batch, f->filter.data, f->filter.len),
    };
    batch_call(v->batch, "install its seccomp filter", SYS_seccomp, SECCOMP_SET_MODE_FILTER,
               f->flags & (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW),
               batch_data(v->batch, &program, sizeof(program)));
    return 0;
}

/* The filters of a thread as indexes into the image, oldest first. */
struct chain {
    uint32_t filters[FILTERS_MAX];
    size_t count;
};

static int chain_of(const struct restore *r, const struct thread *th, struct chain *c,
                    struct error *err)
{
    const ThreadCoreEntry *thc = th->core->thread_core;
    const SeccompEntry *image = restore_seccomp(r);
    c->count = 0;
    if (!thc->has_seccomp_filter || thc->seccomp_mode != SECCOMP_MODE__filter)
        return 0;
    uint32_t newest_first[FILTERS_MAX], next = thc->seccomp_filter;
    for (;;) {
        if (!image || next >= image->n_seccomp_filters || c->count == FILTERS_MAX)
            return error_set(err, EINVAL, "the checkpoint's seccomp filters do not fit together");
        newest_first[c->count++] = next;
        if (!image->seccomp_filters[next]->has_prev)
            break;
        next = image->seccomp_filters[next]->prev;
    }
    for (size_t i = 0; i < c->count; i++)
        c->filters[i] = newest_first[c->count - 1 - i];
    return 0;
}

static int install_chain(struct revival *v, const struct chain *c, size_t from, size_t to,
                         struct error *err)
{
    const SeccompEntry *image = restore_seccomp(v->restore);
    for (size_t i = from; i < to; i++) {
        const SeccompFilter *f = image->seccomp_filters[c->filters[i]];
        int r = 0;
        if (!batch_fits(v->batch, 1, f->filter.len + 64)) {
            r = batch_run(v->batch, err);
            batch_reset(v->batch);
        }
        if (r == 0)
            r = install(v, f, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Born of init, not by us. */
static bool is_inits(const struct restore *r, const struct task *t)
{
    while (t->parent_task)
        t = t->parent_task;
    return t == &r->tree.tasks[0];
}

static int restore(struct revival *v, struct error *err)
{
    struct chain c;
    int r = chain_of(v->restore, v->thread, &c, err);
    size_t inherited = is_inits(v->restore, v->task) ? v->restore->inherited_filters : 0;
    return r < 0 ? r : install_chain(v, &c, inherited, c.count, err);
}

/* How many filters all threads of all processes under init begin with. */
static int common_length(const struct restore *r, struct chain *first, size_t *ret,
                         struct error *err)
{
    struct chain c;
    int n = chain_of(r, &r->tree.tasks[0].threads[0], first, err);
    size_t common = first->count;
    for (size_t i = 0; n == 0 && i < r->tree.count; i++) {
        const struct task *t = &r->tree.tasks[i];
        for (size_t j = 0; n == 0 && t->state != TASK_ZOMBIE && j < t->thread_count; j++) {
            if (!is_inits(r, t))
                break;
            n = chain_of(r, &t->threads[j], &c, err);
            size_t same = 0;
            while (same < common && same < c.count && c.filters[same] == first->filters[same])
                same++;
            common = same;
        }
    }
    *ret = common;
    return n;
}

/* Installing a filter takes the kernel a millisecond or more; a child inherits it for nothing. Only
 * where filters do not bite while we trace. */
int restore_inherited_filters(struct restore *r, struct error *err)
{
    struct chain first;
    struct task *init = &r->tree.tasks[0];
    int n = r->seccomp_suspended ? common_length(r, &first, &r->inherited_filters, err) : 0;
    if (n < 0 || !r->inherited_filters)
        return n;
    _cleanup_free_ struct batch *b = xmalloc(sizeof(*b));
    batch_start(b, &init->threads[0].puppet);
    struct revival v = {.restore = r, .task = init, .thread = &init->threads[0], .batch = b};
    n = install_chain(&v, &first, 0, r->inherited_filters, err);
    if (n == 0)
        n = batch_run(b, err);
    batch_free(b);
    return n;
}

const struct state_part state_seccomp = {"seccomp", NULL, take, restore};
