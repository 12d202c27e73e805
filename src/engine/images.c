#include "engine/images.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "engine/ghost.h"
#include "engine/ipc.h"
#include "engine/locks.h"

enum { TASK_STATE_ALIVE = 1, TASK_STATE_STOPPED = 3, TASK_STATE_ZOMBIE = 6 };

static const struct {
    const char *file;
    size_t has, field;
} namespaces[] = {
#define NS(file, name)                                                                             \
    {                                                                                              \
        file, offsetof(TaskKobjIdsEntry, has_##name), offsetof(TaskKobjIdsEntry, name)             \
    }
    NS("pid", pid_ns_id), NS("net", net_ns_id),   NS("ipc", ipc_ns_id),       NS("uts", uts_ns_id),
    NS("mnt", mnt_ns_id), NS("user", user_ns_id), NS("cgroup", cgroup_ns_id),
#undef NS
};

static uint32_t number_of(const struct dump *d, const struct task *t, enum share kind)
{
    const struct task *first = t->shared[kind] ? t->shared[kind] : t;
    return (uint32_t)(first - d->tree.tasks) + 1;
}

/* Numbers for what processes may share: that of the first who has it. The namespaces are the
 * runtime's and numbered in the order of the table. */
static TaskKobjIdsEntry *ids_entry(struct dump *d, const struct task *t)
{
    TaskKobjIdsEntry *ids = arena_new_of(d->arena, TaskKobjIdsEntry);
    task_kobj_ids_entry__init(ids);
    ids->vm_id = number_of(d, t, SHARE_MEMORY);
    ids->files_id = number_of(d, t, SHARE_FILES);
    ids->fs_id = number_of(d, t, SHARE_DIRECTORIES);
    ids->sighand_id = number_of(d, t, SHARE_ACTIONS);
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        *(protobuf_c_boolean *)((char *)ids + namespaces[i].has) = true;
        *(uint32_t *)((char *)ids + namespaces[i].field) = (uint32_t)i + 1;
    }
    return ids;
}

static int write_zombie(struct dump *d, const struct task *t, struct error *err)
{
    CoreEntry core = CORE_ENTRY__INIT;
    TaskCoreEntry tc = TASK_CORE_ENTRY__INIT;
    core.mtype = CORE_ENTRY__MARCH__X86_64;
    tc.task_state = TASK_STATE_ZOMBIE;
    tc.exit_code = (uint32_t)t->stat.exit_code;
    tc.comm = (char *)t->stat.comm;
    core.tc = &tc;
    return image_put(d->sink, IMAGE_CORE, (uint64_t)t->vpid, &core, err);
}

static int write_fdinfo(struct dump *d, const struct task *t, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w =
        image_writer_new(IMAGE_FDINFO, t->files_id);
    for (size_t i = 0; i < t->fd_count; i++)
        image_writer_add(w, t->fds[i]);
    return image_writer_put(w, d->sink, err);
}

/* The images want a core of the first thread, dead or not: it has what belongs to the process. */
static int write_ended_leader(struct dump *d, struct task *t, struct error *err)
{
    CoreEntry *stand_in = t->threads[0].core, core = *stand_in;
    ThreadCoreEntry nothing = THREAD_CORE_ENTRY__INIT;
    if (!t->leader_ended)
        return 0;
    core.tc->comm = t->stat.comm;
    core.thread_core = &nothing;
    stand_in->tc = NULL;
    stand_in->ids = NULL;
    js_set(extra_of(d->extra, "processes", (uint64_t)t->vpid), "leaderEnded",
           js_int(t->leader_status));
    return image_put(d->sink, IMAGE_CORE, (uint64_t)t->vpid, &core, err);
}

static int write_task(struct dump *d, struct task *t, struct error *err)
{
    uint64_t pid = (uint64_t)t->vpid;
    if (t->state == TASK_ZOMBIE)
        return write_zombie(d, t, err);
    TaskKobjIdsEntry *ids = ids_entry(d, t);
    t->files_id = ids->files_id;
    t->threads[0].core->ids = ids;
    int r = image_put(d->sink, IMAGE_IDS, pid, ids, err);
    if (r == 0)
        r = write_ended_leader(d, t, err);
    for (size_t i = 0; r == 0 && i < t->thread_count; i++)
        r = image_put(d->sink, IMAGE_CORE, (uint64_t)t->threads[i].puppet.vtid, t->threads[i].core,
                      err);
    if (r == 0)
        r = image_put(d->sink, IMAGE_MM, pid, t->mm, err);
    if (r == 0)
        r = image_put(d->sink, IMAGE_FS, pid, t->fs, err);
    return r < 0 || t->shared[SHARE_FILES] ? r : write_fdinfo(d, t, err);
}

/* What its parent gets at its end, for the few that clone(2) gave another signal. */
static void note_exit_signal(struct dump *d, const struct task *t)
{
    if (t->parent && t->stat.exit_signal != SIGCHLD)
        js_set(extra_of(d->extra, "processes", (uint64_t)t->vpid), "exitSignal",
               js_int(t->stat.exit_signal));
}

static void add_pstree(struct dump *d, struct image_writer *w, const struct task *t)
{
    PstreeEntry e = PSTREE_ENTRY__INIT;
    size_t ended = t->leader_ended || !t->thread_count;
    e.pid = (uint32_t)t->vpid;
    e.ppid = (uint32_t)t->parent;
    e.pgid = (uint32_t)t->group;
    e.sid = (uint32_t)t->session;
    e.n_threads = t->thread_count + ended;
    e.threads = arena_array_of(d->arena, uint32_t, e.n_threads);
    e.threads[0] = (uint32_t)t->vpid;
    for (size_t i = 0; i < t->thread_count; i++)
        e.threads[i + ended] = (uint32_t)t->threads[i].puppet.vtid;
    image_writer_add(w, &e);
}

static int write_seccomp(struct dump *d, struct error *err)
{
    if (!d->filter_count)
        return 0;
    SeccompEntry e = SECCOMP_ENTRY__INIT;
    e.seccomp_filters = d->filters;
    e.n_seccomp_filters = d->filter_count;
    return image_put(d->sink, IMAGE_SECCOMP, 0, &e, err);
}

int images_write_tasks(struct dump *d, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_PSTREE, 0);
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->tree.count; i++) {
        add_pstree(d, w, &d->tree.tasks[i]);
        note_exit_signal(d, &d->tree.tasks[i]);
        r = write_task(d, &d->tree.tasks[i], err);
    }
    if (r == 0)
        r = image_writer_put(w, d->sink, err);
    return r < 0 ? r : write_seccomp(d, err);
}

int images_write_files(struct dump *d, struct error *err)
{
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_FILES, 0);
    for (size_t i = 0; i < d->file_count; i++)
        image_writer_add(w, d->files[i].entry);
    int r = image_writer_put(w, d->sink, err);
    if (r == 0)
        r = pipe_write_images(d, err);
    if (r == 0)
        r = ghosts_write_images(d, err);
    if (r == 0)
        r = memfd_write_images(d, err);
    if (r == 0)
        r = mqueue_write_images(d, err);
    if (r == 0)
        r = socket_queues_write(d, err);
    if (r == 0)
        r = tcp_streams_write(d, err);
    if (r == 0)
        r = ipc_write_images(d, err);
    if (r == 0)
        r = locks_write_images(d, err);
    if (r == 0)
        r = fifo_write_images(d, err);
    if (r == 0)
        r = terminal_write_data(d, err);
    return r < 0 ? r : terminal_write_images(d, err);
}

static int write_extra(struct dump *d, struct error *err)
{
    _cleanup_free_ char *text = js_dump(d->extra, 1);
    return sink_put(d->sink, EXTRA_FILE, text, strlen(text), err);
}

int images_write_inventory(struct dump *d, struct error *err)
{
    int r = write_extra(d, err);
    if (r < 0)
        return r;
    InventoryEntry e = INVENTORY_ENTRY__INIT;
    e.img_version = 2;
    e.has_fdinfo_per_id = e.fdinfo_per_id = true;
    e.has_ns_per_id = e.ns_per_id = true;
    e.root_ids = ids_entry(d, &d->tree.tasks[0]);
    e.has_lsmtype = true;
    e.lsmtype = LSMTYPE__NO_LSM;
    e.has_dump_uptime = true;
    e.dump_uptime = (uint64_t)monotonic_us();
    return image_put(d->sink, IMAGE_INVENTORY, 0, &e, err);
}
