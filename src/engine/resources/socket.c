#include "engine/resources/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket_int(int fd, int level, int option, int otherwise)
{
    int value = 0;
    socklen_t size = sizeof(value);
    return getsockopt(fd, level, option, &value, &size) < 0 ? otherwise : value;
}

int socket_kind(int fd, struct socket_kind *ret)
{
    *ret = (struct socket_kind){socket_int(fd, SOL_SOCKET, SO_DOMAIN, -1),
                                socket_int(fd, SOL_SOCKET, SO_TYPE, -1),
                                socket_int(fd, SOL_SOCKET, SO_PROTOCOL, -1)};
    return ret->family < 0 || ret->type < 0 || ret->protocol < 0 ? -ENOTSOCK : 0;
}

int socket_family(const struct descriptor *f)
{
    if (!S_ISSOCK(f->st.st_mode) || f->fd < 0 || f->flags & O_PATH)
        return -1;
    _cleanup_close_ int fd = descriptor_borrow(f);
    return fd < 0 ? -1 : socket_int(fd, SOL_SOCKET, SO_DOMAIN, -1);
}

int socket_enter_network(pid_t pid, int *ret_back, struct error *err)
{
    char path[64];
    struct stat ours, theirs;
    *ret_back = -1;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
    if (stat("/proc/self/ns/net", &ours) == 0 && stat(path, &theirs) == 0 &&
        ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
        return 0;
    _cleanup_close_ int there = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (there < 0 || here < 0 || setns(there, CLONE_NEWNET) < 0)
        return error_errno(err, errno, "cannot enter the network namespace of the container");
    *ret_back = take_fd(here);
    return 0;
}

void socket_leave_network(int back)
{
    if (back < 0)
        return;
    setns(back, CLONE_NEWNET);
    close(back);
}

bool socket_may(const struct restore *r, int capability)
{
    return r->options.capabilities >> capability & 1;
}

int socket_copy(const struct task *t, int fd, struct error *err)
{
    int copy = proc_borrow(t->pid, fd);
    return copy < 0 ? error_errno(err, -copy, "cannot reach a socket of process %d", t->vpid)
                    : copy;
}

int socket_make(struct maker *m, struct socket_kind kind, uint32_t flags, int *ret_copy,
                struct error *err)
{
    batch_reset(m->batch);
    int type = kind.type | SOCK_CLOEXEC | (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0);
    int64_t fd = maker_call(m, err, "create a socket", SYS_socket, (uint64_t)kind.family,
                            (uint64_t)type, (uint64_t)kind.protocol);
    if (fd < 0)
        return (int)fd;
    int copy = socket_copy(m->task, (int)fd, err);
    if (copy < 0)
        return copy;
    *ret_copy = copy;
    return (int)fd;
}
