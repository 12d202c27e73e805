#include "engine/resources/resource.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strv.h"
#include "engine/restore.h"

/* The first match wins. */
static const struct resource *const table[] = {
    /* events */
    &resource_epoll,
    &resource_eventfd,
    &resource_inotify,
    &resource_pidfd,
    &resource_signalfd,
    &resource_timerfd,
    /* files */
    &resource_memfd,
    &resource_mqueue,
    &resource_namespace,
    &resource_regular_file,
    &resource_device,
    &resource_terminal,
    &resource_terminal_master,
    &resource_pipe,
    &resource_fifo,
    /* sockets */
    &resource_inet_socket,
    &resource_unix_socket,
    &resource_netlink_socket,
    &resource_other_socket,
};

/* What firn has no row for, and what a user can do about it. */
static const struct {
    const char *link; /* how the /proc link begins */
    const char *what, *advice;
} refused[] = {
    {"anon_inode:[fanotify]", "a fanotify group", " (inotify is saved)"},
    {"anon_inode:[io_uring]", "an io_uring instance",
     " (programs based on libuv run without it when UV_USE_IO_URING=0 is set)"},
    {"anon_inode:[userfaultfd]", "a userfaultfd", ""},
    {"anon_inode:[perf_event]", "a perf event", ""},
    {"anon_inode:bpf", "a BPF object", ""},
};

/* memfd_secret(2): not even the kernel maps it. */
static bool is_secret(const struct descriptor *f)
{
    char path[64];
    struct statfs fs;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", f->task->pid, f->fd);
    return f->deleted && f->fd >= 0 && string_equal(f->link, "/secretmem") &&
           statfs(path, &fs) == 0 && fs.f_type == SECRETMEM_MAGIC;
}

const struct resource *resource_match(const struct dump *d, const struct descriptor *f,
                                      struct error *err)
{
    const char *what = NULL, *advice = "";
    for (size_t i = 0; !what && i < ARRAY_LEN(refused); i++)
        if (string_starts(f->link, refused[i].link))
            what = refused[i].what, advice = refused[i].advice;
    if (is_secret(f))
        what = "secret memory";
    for (size_t i = 0; !what && i < ARRAY_LEN(table); i++)
        if (table[i]->match(f))
            return table[i];
    error_set(err, ENOTSUP, "%s is %s%s%s%s, which firn cannot save yet%s", descriptor_name(d, f),
              what ? what : f->link, what ? " (" : "", what ? f->link : "", what ? ")" : "",
              advice);
    return NULL;
}

const struct resource *resource_of_type(FdTypes type)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i]->type == type && table[i]->restore)
            return table[i];
    return NULL;
}

int descriptor_borrow(const struct descriptor *f)
{
    return proc_borrow(f->task->pid, f->fd);
}

const char *descriptor_name(const struct dump *d, const struct descriptor *f)
{
    if (f->fd < 0)
        return arena_printf(d->arena, "process %d (%s) of container %s: its %s", f->task->vpid,
                            f->task->stat.comm, d->options.name, f->place);
    return arena_printf(d->arena, "process %d (%s) of container %s: fd %d", f->task->vpid,
                        f->task->stat.comm, d->options.name, f->fd);
}

const char *descriptor_place(struct dump *d, const struct descriptor *f)
{
    return f->fd < 0 ? arena_printf(d->arena, "/proc/%d/%s", f->task->pid, f->place)
                     : arena_printf(d->arena, "/proc/%d/fd/%d", f->task->pid, f->fd);
}

const char *file_name(const struct dump *d, const struct file *file)
{
    const struct task *t = tree_find_pid(&d->tree, file->holder);
    if (!t)
        return arena_printf(d->arena, "container %s: a file on its way through a socket",
                            d->options.name);
    return arena_printf(d->arena, "process %d (%s) of container %s: fd %d", t->vpid, t->stat.comm,
                        d->options.name, file->fd);
}

int descriptor_stdio(const struct dump *d, const struct descriptor *f)
{
    for (int i = 0; i < 3; i++)
        if (d->options.stdio[i] && strcmp(d->options.stdio[i], f->link) == 0)
            return i;
    return -1;
}

/* fcntl(2) F_SETOWN, F_SETSIG: whom the file's signals go to. Seen from outside the pid is ours. */
FownEntry *descriptor_owner(struct dump *d, const struct descriptor *f)
{
    FownEntry *e = arena_new_of(d->arena, FownEntry);
    fown_entry__init(e);
    _cleanup_close_ int fd = f->fd < 0 || f->flags & O_PATH ? -1 : descriptor_borrow(f);
    struct f_owner_ex owner = {0};
    if (fd < 0 || fcntl(fd, F_GETOWN_EX, &owner) < 0 || owner.pid <= 0)
        return e;
    int signal = fcntl(fd, F_GETSIG);
    e->signum = signal > 0 ? (uint32_t)signal : 0;
    for (size_t i = 0; i < d->tree.count; i++) {
        const struct task *t = &d->tree.tasks[i];
        pid_t seen = owner.type == F_OWNER_PGRP ? t->stat.group : t->process;
        if (seen == owner.pid) {
            e->pid_type = (uint32_t)owner.type;
            e->pid = (uint32_t)(owner.type == F_OWNER_PGRP ? t->group : t->vpid);
        }
        for (size_t j = 0; owner.type == F_OWNER_TID && j < t->thread_count; j++)
            if (t->threads[j].puppet.tid == owner.pid)
                e->pid_type = F_OWNER_TID, e->pid = (uint32_t)t->threads[j].puppet.vtid;
    }
    return e;
}
