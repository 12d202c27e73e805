#include "api/pump.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container/monitor.h"
#include "container/terminal.h"

struct run {
    const struct pump *p;
    struct detach_keys keys;
    bool input_over;    /* the client will send no more */
    struct buf pending; /* input the container has not taken yet */
};

void frame_head(unsigned char head[static FRAME_HEAD], enum frame_stream stream, size_t size)
{
    memset(head, 0, FRAME_HEAD);
    head[0] = (unsigned char)stream;
    for (int i = 0; i < 4; i++)
        head[4 + i] = (unsigned char)(size >> (24 - 8 * i));
}

/* ---- output ---- */

static int write_client(int fd, const void *data, size_t size)
{
    for (const char *p = data; size;) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd w = {.fd = fd, .events = POLLOUT};
            poll(&w, 1, -1);
            continue;
        }
        if (n < 0 && errno != EINTR)
            return -errno;
        p += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int pump_write(const struct pump *p, enum frame_stream stream, const void *data, size_t size)
{
    unsigned char head[FRAME_HEAD];
    frame_head(head, stream, size);
    int r = p->tty ? 0 : write_client(p->client_fd, head, sizeof(head));
    return r < 0 ? r : write_client(p->client_fd, data, size);
}

/* Returns 1 at the end of the container's output, negative when the client is gone. */
static int on_output(struct run *run)
{
    char packet[MONITOR_PACKET_MAX];
    const struct pump *p = run->p;
    ssize_t n = recv(p->attach_fd, packet, sizeof(packet), 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 1)
        return n <= 0;
    bool is_error = packet[0] == MONITOR_STDERR;
    if (is_error ? !p->errors : !p->output)
        return 0;
    return pump_write(p, is_error ? FRAME_STDERR : FRAME_STDOUT, packet + 1, (size_t)n - 1);
}

/* ---- input ---- */

/* What conmon takes now. */
static void send_pending(struct run *run)
{
    const size_t most = MONITOR_PACKET_MAX - 1;
    while (run->pending.size) {
        size_t size = run->pending.size < most ? run->pending.size : most;
        ssize_t n = send(run->p->attach_fd, run->pending.data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        size_t done = n > 0 ? (size_t)n : run->pending.size; /* nobody reads: drop it */
        run->pending.size -= done;
        memmove(run->pending.data, run->pending.data + done, run->pending.size);
    }
    if (run->input_over)
        shutdown(run->p->attach_fd, SHUT_WR);
}

/* Returns true when the detach keys were typed. */
static bool take_input(struct run *run, const char *data, size_t size)
{
    size_t used = 0;
    unsigned char *out = buf_reserve(&run->pending, size + 16);
    bool detach = detach_keys_feed(&run->keys, (const unsigned char *)data, size, out, &used);
    run->pending.size += used;
    send_pending(run);
    return detach;
}

/* Returns 1 on the detach keys, negative when the client is gone. */
static int on_input(struct run *run)
{
    char in[8192];
    ssize_t n = recv(run->p->client_fd, in, sizeof(in), 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0)
        return -errno;
    if (n == 0) {
        run->input_over = true;
        if (run->p->input)
            send_pending(run);
        return 0;
    }
    return run->p->input && take_input(run, in, (size_t)n);
}

/* ---- both ---- */

static int turn(struct run *run)
{
    const struct pump *p = run->p;
    bool full = run->pending.size != 0;
    struct pollfd fds[] = {
        {.fd = p->attach_fd, .events = (short)(POLLIN | (full ? POLLOUT : 0))},
        {.fd = p->client_fd, .events = run->input_over || full ? 0 : POLLIN},
    };
    if (poll(fds, ARRAY_LEN(fds), -1) < 0)
        return errno == EINTR ? 0 : -errno;
    if (fds[0].revents & POLLOUT)
        send_pending(run);
    int r = fds[0].revents & ~POLLOUT ? on_output(run) : 0;
    if (r != 0)
        return r;
    if (fds[1].revents & POLLIN && on_input(run))
        return -EPIPE;
    /* Closed on both sides, not only for writing. */
    return fds[1].revents & (POLLHUP | POLLERR) ? -EPIPE : 0;
}

int pump_run(const struct pump *p, const struct buf *early, struct error *err)
{
    struct run run = {.p = p};
    const char *keys = p->detach_keys ? p->detach_keys : "ctrl-p,ctrl-q";
    if (detach_keys_parse(p->tty ? keys : "", &run.keys) < 0)
        return error_kind_set(err, ERROR_USAGE, "unable to parse detach keys \"%s\"", keys);
    int r = 0;
    if (early->size && p->input && take_input(&run, early->data, early->size))
        r = -EPIPE;
    while (r == 0)
        r = turn(&run);
    buf_free(&run.pending);
    return r == 1;
}
