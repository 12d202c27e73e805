/* While connections are held (tcp-dump.c) they are deaf and dumb. If we are killed the container
 * goes on, and so must they: a process of its own waits for our end and gives them back. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/spawn.h"
#include "engine/resources/tcp-stream.h"

/* Everything else is not ours to keep open: locks, pipes that others wait for. */
static void close_others(const struct dump *d, int line)
{
    for (unsigned from = 0, next = 0; next != ~0u; from = next + 1) {
        next = (unsigned)line >= from ? (unsigned)line : ~0u;
        for (size_t i = 0; i < d->connection_count; i++) {
            unsigned fd = (unsigned)d->connections[i].fd;
            if (fd >= from && fd < next)
                next = fd;
        }
        if (next > from)
            syscall(SYS_close_range, from, next == ~0u ? ~0u : next - 1, 0);
    }
}

static void watch(struct dump *d, int line)
{
    char word;
    setsid(); /* what ends our session or group does not end it */
    close_others(d, line);
    if (read(line, &word, 1) != 1)
        tcp_streams_unhold(d);
    _exit(0);
}

/* Twice forked, so that it is not among the children a tracer waits for. */
int tcp_guard_start(struct dump *d)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    _cleanup_close_ int ours = ends[0], its = ends[1];
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            watch(d, its);
        _exit(grandchild < 0);
    }
    if (spawn_wait(child) != 0)
        return -EAGAIN;
    d->connection_guard = take_fd(ours);
    return 0;
}

/* Waits until it has let go, too: the same connections may be restored at once. */
void tcp_guard_end(struct dump *d)
{
    char word = 'x';
    if (d->connection_guard < 0)
        return;
    if (write(d->connection_guard, &word, 1) == 1)
        while (read(d->connection_guard, &word, 1) < 0 && errno == EINTR)
            ;
    close(d->connection_guard);
    d->connection_guard = -1;
}
