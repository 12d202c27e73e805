#include "container/stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "container/end.h"
#include "container/monitor.h"
#include "container/terminal.h"

/* One run of the loop. */
struct loop {
    const struct stream *s;
    const struct attach_options *options;
    struct terminal terminal;
    struct detach_keys keys;
    sigset_t old_mask;
    int signal_fd;
    bool input_over;
};

/* --- signals ------------------------------------------------------------------------------- */

static bool proxies(const struct loop *l)
{
    return l->options->signal_proxy && !l->s->tty && l->s->init;
}

/* Not for the container: what is about us. */
static const int own_signals[] = {SIGCHLD, SIGPIPE, SIGURG, SIGKILL, SIGSTOP, SIGTTIN, SIGTTOU,
                                  SIGSEGV, SIGBUS,  SIGILL, SIGFPE,  SIGABRT, SIGTRAP, SIGSYS};

static void begin_signals(struct loop *l)
{
    sigset_t set;
    sigemptyset(&set);
    if (proxies(l)) {
        sigfillset(&set);
        for (size_t i = 0; i < ARRAY_LEN(own_signals); i++)
            sigdelset(&set, own_signals[i]);
    }
    /* A raw terminal must be put back before we die. */
    const int dying[] = {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT};
    for (size_t i = 0; i < ARRAY_LEN(dying) && l->s->tty; i++)
        sigaddset(&set, dying[i]);
    sigaddset(&set, SIGPIPE);
    sigprocmask(SIG_BLOCK, &set, &l->old_mask);
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void end_signals(struct loop *l)
{
    struct signalfd_siginfo info;
    while (l->signal_fd >= 0 && read(l->signal_fd, &info, sizeof(info)) > 0)
        ;
    cleanup_close(&l->signal_fd);
    sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
}

static void send_size(const struct loop *l)
{
    unsigned rows, columns;
    if (l->s->tty &&
        terminal_size(l->options->stdin_fd >= 0 ? l->options->stdin_fd : l->options->stdout_fd,
                      &rows, &columns))
        monitor_resize(l->s->directory, rows, columns);
}

/* Returns 0 to go on, -EINTR when we have to end. */
static int on_signal(struct loop *l)
{
    struct signalfd_siginfo info;
    if (read(l->signal_fd, &info, sizeof(info)) != sizeof(info))
        return 0;
    int signal = (int)info.ssi_signo;
    if (signal == SIGPIPE)
        return 0;
    if (l->s->tty && signal == SIGWINCH) {
        send_size(l);
        return 0;
    }
    if (l->s->tty)
        return -EINTR;
    end_signal(l->s->init, signal);
    return 0;
}

/* --- bytes --------------------------------------------------------------------------------- */

/* Returns 1 at the end of the stream. Without a reader for its output there is nothing left to do
 * for us; the container goes on. */
static int on_output(struct loop *l, struct error *err)
{
    char packet[MONITOR_PACKET_MAX];
    ssize_t n = recv(l->s->fd, packet, sizeof(packet), 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0)
        return 1;
    int fd = packet[0] == MONITOR_STDOUT   ? l->options->stdout_fd
             : packet[0] == MONITOR_STDERR ? l->options->stderr_fd
                                           : -1;
    int r = fd < 0 ? 0 : write_full(fd, packet + 1, (size_t)n - 1);
    if (r < 0)
        error_errno(err, -r, "cannot write what the container says");
    return r;
}

static void end_input(struct loop *l)
{
    l->input_over = true;
    shutdown(l->s->fd, SHUT_WR);
}

/* Returns 1 when the detach keys were typed. */
static int on_input(struct loop *l)
{
    unsigned char in[8192], out[sizeof(in) + 16];
    ssize_t n = read(l->options->stdin_fd, in, sizeof(in));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n <= 0) {
        end_input(l);
        return 0;
    }
    size_t size = 0;
    bool detach = detach_keys_feed(&l->keys, in, (size_t)n, out, &size);
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof(in) ? size - done : sizeof(in);
        ssize_t sent = send(l->s->fd, out + done, part, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            l->input_over = true;
            break;
        }
        done += (size_t)sent;
    }
    return detach;
}

static int loop_run(struct loop *l, struct error *err)
{
    send_size(l);
    l->input_over = !l->s->input || l->options->stdin_fd < 0;
    for (;;) {
        struct pollfd p[] = {
            {.fd = l->s->fd, .events = POLLIN},
            {.fd = l->input_over ? -1 : l->options->stdin_fd, .events = POLLIN},
            {.fd = l->signal_fd, .events = POLLIN},
        };
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return error_errno(err, errno, "cannot wait for the container's output");
        if (p[2].revents && on_signal(l) < 0)
            return error_kind_set(err, ERROR_CANCELLED, "interrupted");
        int r = p[0].revents ? on_output(l, err) : 0;
        if (r != 0)
            return r < 0 ? r : ATTACH_ENDED;
        if (p[1].revents && on_input(l))
            return ATTACH_DETACHED;
    }
}

int stream_run(const struct stream *s, const struct attach_options *options, struct error *err)
{
    struct loop l = {.s = s, .options = options, .terminal = TERMINAL_INIT, .signal_fd = -1};
    const char *keys = options->detach_keys ? options->detach_keys : "ctrl-p,ctrl-q";
    if (detach_keys_parse(keys, &l.keys) < 0)
        return error_kind_set(err, ERROR_USAGE, "unable to parse detach keys \"%s\"", keys);
    if (!s->tty)
        detach_keys_parse("", &l.keys); /* nobody types: all bytes are data */
    begin_signals(&l);
    if (s->tty && s->input)
        terminal_make_raw(&l.terminal, options->stdin_fd);
    int r = loop_run(&l, err);
    terminal_restore(&l.terminal);
    end_signals(&l);
    return r;
}
