#include "engine/restore.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/strv.h"
#include "engine/clocks.h"
#include "engine/cradles.h"
#include "engine/hoard.h"
#include "engine/ipc-settings.h"
#include "engine/ipc.h"
#include "engine/kernel.h"
#include "engine/locks.h"

static int plan(const struct engine_restore_options *options, int dirfd, struct restore **ret,
                struct error *err)
{
    struct restore *r = xcalloc(1, sizeof(*r));
    r->options = *options;
    r->dirfd = dirfd;
    r->arena = arena_new();
    r->fpu = fpu_layout_new(r->arena);
    *ret = r;
    int n = plan_load(r, err);
    return n < 0 ? n : plan_check(r, err);
}

int restore_plan(const struct engine_restore_options *options, int dirfd, struct restore **ret,
                 struct error *err)
{
    int n = plan(options, dirfd, ret, err);
    return n < 0 ? n
                 : refusals_report(&(*ret)->refusals, err, "container %s cannot be restored",
                                   options->name);
}

int restore_judge(const struct engine_restore_options *options, int dirfd, bool ports,
                  struct refusals *no, struct error *err)
{
    struct restore *r;
    int n = plan(options, dirfd, &r, err);
    if (n == 0 && ports)
        inet_ports_check(r);
    refusals_move(no, &r->refusals);
    restore_free(r);
    return refusals_take_any(no, n, err);
}

int restore_seize(struct restore *r, pid_t init, struct error *err)
{
    unsigned long options = puppet_options | PTRACE_O_EXITKILL;
    r->init = init;
    r->seccomp_suspended = true;
    if (ptrace(PTRACE_SEIZE, init, 0, options | PTRACE_O_SUSPEND_SECCOMP) < 0) {
        r->seccomp_suspended = false;
        if (errno != EPERM || ptrace(PTRACE_SEIZE, init, 0, options) < 0)
            return error_errno(err, errno, "cannot take control of the init of container %s",
                               r->options.name);
    }
    r->seized = true;
    return fault("restore", "seize", err);
}

/* ---- the steps of a restore ---- */

static int find_console(struct restore *r, struct error *err)
{
    for (int i = 0; i < 3 && !r->console[0]; i++) {
        char name[16], link[256];
        snprintf(name, sizeof(name), "fd/%d", i);
        if (proc_link(r->init, name, link, sizeof(link)) == 0 && string_starts(link, "/dev/pts/"))
            snprintf(r->console, sizeof(r->console), "%.60s", link);
    }
    return 0;
}

static int note_births(struct restore *r, struct error *err)
{
    r->stats.forking_time = (uint64_t)(monotonic_us() - r->begin_us);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(struct restore *r, struct error *err);
} steps[] = {
    {"take the runtime's init at its exec", restore_take_init},
    {"set its clocks", clocks_restore},
    {"install the filters that all inherit", restore_inherited_filters},
    {"find its terminal", find_console},
    {"make files without a name", restore_hoard},
    {"set the limits of System V objects", ipc_settings_restore},
    {"make System V objects", restore_ipc},
    {"make shared memory", restore_nurseries},
    {"delete what was deleted", restore_ipc_deleted},
    {"make memory that relatives share", restore_cradles},
    {"make the processes", restore_births},
    {"make process groups", restore_groups},
    {"make processes that only pidfds know", pidfd_bear_departed},
    {"note the time", note_births},
    {"map their memory", restore_map_memory},
    {"fill their memory", restore_fill_memory},
    {"finish the address spaces", restore_finish_memory},
    {"make the threads", restore_threads},
    {"open the files", restore_descriptors},
    {"set up terminals", restore_terminals},
    {"fill terminals", restore_terminal_data},
    {"change directories", restore_directories},
    {"finish files without a name", restore_finish_hoard},
    {"close spare descriptors", restore_close_spares},
    {"lock files", restore_locks},
    {"restore states", restore_states},
    {"restore registers", restore_registers},
};

int restore_build(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int n = steps[i].run(r, err);
        if (n == 0)
            n = fault("restore", steps[i].name, err);
        if (n < 0)
            return n;
        if (r->options.cancelled && r->options.cancelled(r->options.context))
            return error_kind_set(err, ERROR_CANCELLED, "the restore of container %s was cancelled",
                                  r->options.name);
    }
    return 0;
}

pid_t restore_pid(const struct restore *r, pid_t vpid)
{
    const struct task *t = tree_find(&r->tree, vpid);
    return t && t->state != TASK_ZOMBIE ? t->pid : 0;
}

int restore_release(struct restore *r, struct error *err)
{
    for (size_t i = 0; i < r->tree.count; i++) {
        struct task *t = &r->tree.tasks[i];
        if (t->state == TASK_STOPPED)
            kill(t->pid, t->stop_signal ? t->stop_signal : SIGSTOP);
    }
    tcp_streams_go(r);
    for (size_t i = r->tree.count; i-- > 0;) {
        struct task *t = &r->tree.tasks[i];
        for (size_t j = t->state == TASK_ZOMBIE ? 0 : t->thread_count; j-- > 0;)
            if (ptrace(PTRACE_DETACH, t->threads[j].puppet.tid, 0, 0) < 0)
                return error_errno(err, errno, "process %d died before it could be let go",
                                   t->vpid);
    }
    r->released = true;
    r->stats.restore_time = (uint64_t)(monotonic_us() - r->begin_us);
    return 0;
}

void restore_stats(const struct restore *r, struct engine_restore_stats *ret)
{
    *ret = r->stats;
    ret->tasks = (uint32_t)r->tree.count;
    ret->threads = 0;
    for (size_t i = 0; i < r->tree.count; i++)
        ret->threads += (uint32_t)r->tree.tasks[i].thread_count;
}

/* Nothing half-made survives: init's death ends its pid namespace. */
static void kill_all(struct restore *r)
{
    for (size_t i = 0; i < r->tree.count; i++)
        if (r->tree.tasks[i].pid > 0)
            kill(r->tree.tasks[i].pid, SIGKILL);
    if (r->init > 0)
        kill(r->init, SIGKILL);
    int status;
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR;)
        if (tid > 0 && stop_decode(status, NULL) != STOP_GONE)
            ptrace(PTRACE_CONT, tid, 0, 0);
}

void restore_free(struct restore *r)
{
    if (!r)
        return;
    if (r->seized && !r->released)
        kill_all(r);
    tcp_streams_drop(r);
    for (size_t i = 0; i < r->loaded.image_count; i++)
        image_free(r->loaded.images[i]);
    for (size_t i = 0; i < r->loaded.message_count; i++)
        message_free(r->loaded.messages[i]);
    free(r->loaded.images);
    free(r->loaded.messages);
    js_unref(r->extra);
    free(r->pipes);
    free(r->parked);
    for (size_t i = 0; i < r->end_count; i++)
        cleanup_close(&r->ends[i].fd);
    free(r->ends);
    free(r->departed);
    free(r->hoard);
    if (r->locks)
        image_free(r->locks);
    free(r->ipc);
    free(r->nurseries);
    free(r->cradles);
    for (size_t i = 0; i < r->tree.count; i++)
        free(r->tree.tasks[i].forgotten);
    restore_close_fillings(r);
    free(r->fillings);
    refusals_clear(&r->refusals);
    arena_free(r->arena);
    free(r);
}
