#include "engine/resources/unix-name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

#define ASIDE ".firn-aside"

void unix_path_clear(struct unix_path *p)
{
    if (p->directory >= 0)
        close(p->directory);
    p->directory = -1;
}

bool unix_named(const UnixSkEntry *e)
{
    return e->name.len > 0;
}

bool unix_same_name(const UnixSkEntry *e, const void *name, size_t size)
{
    return e->name.len == size && size > 0 && memcmp(e->name.data, name, size) == 0;
}

socklen_t unix_address(const UnixSkEntry *e, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, e->name.data, e->name.len);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + e->name.len);
}

static bool is_path(const UnixSkEntry *e)
{
    return e->name.len && e->name.data[0];
}

/* The directory of the path, and its last part, inside the container. */
static int open_directory(struct maker *m, const UnixSkEntry *e, struct unix_path *p)
{
    char path[4096 + UNIX_NAME_MAX], root[64];
    const char *name = (const char *)e->name.data;
    snprintf(path, sizeof(path), "%.4000s/%.*s", name[0] == '/' ? "" : e->name_dir, UNIX_NAME_MAX,
             name);
    char *slash = strrchr(path, '/');
    snprintf(p->base, sizeof(p->base), "%.200s", slash + 1);
    *slash = 0;
    snprintf(root, sizeof(root), "/proc/%d/root", m->task->pid);
    _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    p->directory = open_in_root(root_fd, path[0] ? path : "/", O_PATH | O_DIRECTORY, 0);
    return p->directory < 0 ? p->directory : 0;
}

/* A socket's file that is left from before goes; anything else is only put aside, and only where
 * the checkpoint's socket has no file itself. */
static void make_way(struct unix_path *p)
{
    struct stat st;
    char aside[NAME_MAX + sizeof(ASIDE) + 1];
    if (fstatat(p->directory, p->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    snprintf(aside, sizeof(aside), "%s%s", p->base, ASIDE);
    if (p->gone)
        p->aside = renameat(p->directory, p->base, p->directory, aside) == 0;
    else if (S_ISSOCK(st.st_mode))
        unlinkat(p->directory, p->base, 0);
}

int unix_bind(struct maker *m, int fd, const UnixSkEntry *e, bool gone, struct unix_path *ret,
              struct error *err)
{
    struct sockaddr_un name;
    socklen_t size = unix_address(e, &name);
    *ret = (struct unix_path){.directory = -1, .gone = gone || (e->has_deleted && e->deleted)};
    if (is_path(e)) {
        int n = open_directory(m, e, ret);
        if (n < 0)
            return error_errno(err, -n, "process %d cannot bind a unix socket to %s again",
                               m->task->vpid, e->name.data);
        make_way(ret);
    }
    struct batch *b = m->batch;
    batch_reset(b);
    if (is_path(e) && e->name.data[0] != '/')
        batch_call(b, "change into the directory of a socket", SYS_chdir,
                   batch_string(b, e->name_dir));
    size_t call = batch_try(b, SYS_bind, (uint64_t)fd, batch_data(b, &name, size), size);
    int n = batch_run(b, err);
    if (n == 0 && batch_result(b, call) < 0)
        n = error_errno(err, (int)-batch_result(b, call),
                        "process %d cannot bind a unix socket to %s%.*s again", m->task->vpid,
                        is_path(e) ? "" : "@", (int)e->name.len - 1,
                        (const char *)e->name.data + !is_path(e));
    return n;
}

static int give(const struct unix_path *p, const FilePermsEntry *perms)
{
    char link[64];
    _cleanup_close_ int fd = openat(p->directory, p->base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (fd < 0 || fchownat(fd, "", perms->uid, perms->gid, AT_EMPTY_PATH) < 0 ||
        chmod(link, perms->mode & 07777) < 0)
        return -errno;
    return 0;
}

/* rename(2) leaves the socket's own idea of its name alone. */
static int move(const struct maker *m, const struct unix_path *p, const UnixSkEntry *e)
{
    char root[64], path[4096];
    snprintf(root, sizeof(root), "/proc/%d/root", m->task->pid);
    snprintf(path, sizeof(path), "%s", p->moved);
    char *slash = strrchr(path, '/');
    struct unix_path to = {.directory = -1};
    snprintf(to.base, sizeof(to.base), "%.200s", slash + 1);
    *slash = 0;
    _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    _cleanup_close_ int directory =
        open_in_root(root_fd, path[0] ? path : "/", O_PATH | O_DIRECTORY, 0);
    to.directory = directory;
    if (directory < 0)
        return directory;
    make_way(&to);
    if (renameat(p->directory, p->base, directory, to.base) < 0)
        return -errno;
    return e->file_perms ? give(&to, e->file_perms) : 0;
}

int unix_path_settle(struct maker *m, struct unix_path *p, const UnixSkEntry *e, struct error *err)
{
    char aside[NAME_MAX + sizeof(ASIDE) + 1];
    snprintf(aside, sizeof(aside), "%s%s", p->base, ASIDE);
    if (p->directory < 0)
        return 0;
    int r = 0;
    if (p->moved)
        r = move(m, p, e);
    else if (p->gone && unlinkat(p->directory, p->base, 0) < 0)
        r = -errno;
    if (p->aside && renameat(p->directory, aside, p->directory, p->base) < 0)
        r = -errno;
    if (!p->gone && e->file_perms)
        r = give(p, e->file_perms);
    return r < 0 ? error_errno(err, -r, "cannot put back what was at %s of process %d",
                               e->name.data, m->task->vpid)
                 : 0;
}
