/* While connections are held (tcp-dump.c) they are deaf and dumb. If we are killed the container
 * goes on, and so must they: a process of its own waits for our end and gives them back. When the
 * container is down it keeps those that lead outside for the restore (tcp-handover.h). */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/spawn.h"
#include "engine/resources/tcp-handover.h"

enum { WORD_END = 'e', WORD_KEEP = 'k' };

/* The lowest descriptor to keep that is not below `from`. */
static unsigned next_kept(const struct dump *d, unsigned from, int line, int listener)
{
    unsigned next = ~0u;
    for (size_t i = 0; i < d->connection_count + 2; i++) {
        int fd = i < d->connection_count    ? d->connections[i].fd
                 : i == d->connection_count ? line
                                            : listener;
        if (fd >= 0 && (unsigned)fd >= from && (unsigned)fd < next)
            next = (unsigned)fd;
    }
    return next;
}

/* Everything else is not ours to keep open: locks, pipes that others wait for. */
static void close_others(const struct dump *d, int line, int listener)
{
    for (unsigned from = 0, next = 0; next != ~0u; from = next + 1) {
        next = next_kept(d, from, line, listener);
        if (next > from)
            syscall(SYS_close_range, from, next == ~0u ? ~0u : next - 1, 0);
    }
}

static void watch(struct dump *d, int line, int listener)
{
    char word = 0;
    setsid(); /* what ends our session or group does not end it */
    prctl(PR_SET_NAME, "firn-tcp");
    (void)!chdir("/");
    close_others(d, line, listener);
    if (read(line, &word, 1) != 1)
        tcp_streams_unhold(d);
    close(line);
    if (word == WORD_KEEP && listener >= 0)
        tcp_handover_serve(d, listener);
    _exit(0);
}

bool tcp_has_both_ends(const struct dump *d, const InetSkEntry *e)
{
    for (size_t i = 0; i < d->connection_count; i++) {
        const InetSkEntry *o = d->connections[i].socket;
        if (o->src_port == e->dst_port && o->dst_port == e->src_port)
            return true;
    }
    return false;
}

/* In a network namespace of its own nobody is outside. */
static bool leads_outside(const struct dump *d)
{
    char path[64];
    struct stat ours, theirs;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", d->options.init);
    if (stat("/proc/self/ns/net", &ours) < 0 || stat(path, &theirs) < 0 ||
        ours.st_ino != theirs.st_ino)
        return false;
    for (size_t i = 0; i < d->connection_count; i++)
        if (!tcp_has_both_ends(d, d->connections[i].socket))
            return true;
    return false;
}

/* Twice forked, so that it is not among the children a tracer waits for. */
int tcp_guard_start(struct dump *d)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    _cleanup_close_ int ours = ends[0], its = ends[1];
    _cleanup_close_ int listener = leads_outside(d) ? tcp_handover_listen(d) : -1;
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild == 0)
            watch(d, its, listener);
        _exit(grandchild < 0);
    }
    if (spawn_wait(child) != 0)
        return -EAGAIN;
    d->connection_guard = take_fd(ours);
    return 0;
}

/* Waits until it has let go, too, or has taken over. */
void tcp_guard_end(struct dump *d, bool keep)
{
    char word = keep ? WORD_KEEP : WORD_END;
    if (d->connection_guard < 0)
        return;
    if (write(d->connection_guard, &word, 1) == 1)
        while (read(d->connection_guard, &word, 1) < 0 && errno == EINTR)
            ;
    close(d->connection_guard);
    d->connection_guard = -1;
}
