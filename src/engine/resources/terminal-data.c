#include "engine/resources/terminal-data.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"

/* Of the kernel's N_TTY: what it takes in before somebody has to read. */
#define BUFFER 4096
/* Less than what it can echo at once. */
#define STEP 256

enum { SETTLE_MS = 1, FULL_MS = 20, ECHO_MS = 1000 };

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1 && p.revents & POLLIN;
}

static bool writable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, ms) == 1 && p.revents & POLLOUT;
}

static void add(struct buf *pieces, bool output, bool line, const void *data, size_t size)
{
    struct terminal_piece piece = {.output = output, .line = line, .size = (uint32_t)size};
    buf_add(pieces, &piece, sizeof(piece));
    buf_add(pieces, data, size);
}

/* More may be on its way behind a buffer that is full. */
static int read_all(int fd, struct buf *to)
{
    while (readable(fd, to->size < BUFFER - 1 ? SETTLE_MS : FULL_MS)) {
        ssize_t n = read(fd, buf_reserve(to, BUFFER), BUFFER);
        if (n <= 0)
            return n < 0 && errno != EIO && errno != EAGAIN ? -errno : 0;
        to->size += (size_t)n;
    }
    return 0;
}

static int take_lines(int slave, struct buf *pieces)
{
    char line[BUFFER];
    while (readable(slave, SETTLE_MS)) {
        ssize_t n = read(slave, line, sizeof(line));
        if (n < 0)
            return errno == EAGAIN || errno == EIO ? 0 : -errno;
        add(pieces, false, true, line, (size_t)n);
    }
    return 0;
}

/* In other modes than canonical, or what remains of it: a line that has begun. */
static int take_rest(int slave, const struct termios2 *modes, struct buf *pieces)
{
    _cleanup_buf_ struct buf rest = {0};
    struct termios2 raw = *modes;
    raw.c_lflag &= ~(tcflag_t)ICANON;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (ioctl(slave, TCSETS2, &raw) < 0)
        return -errno;
    int r = read_all(slave, &rest);
    if (rest.size)
        add(pieces, false, false, rest.data, rest.size);
    return r;
}

/* ---- putting back ---- */

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n <= 0 && !writable(fd, ECHO_MS))
            return -EAGAIN;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A terminal that somebody has stopped (^S) takes nothing until it is started. */
static int give_output(int slave, const struct termios2 *modes, const char *data, size_t size)
{
    struct termios2 plain = *modes;
    plain.c_oflag &= ~(tcflag_t)OPOST;
    bool stopped = !writable(slave, 0);
    if (ioctl(slave, TCSETS2, &plain) < 0 || (stopped && ioctl(slave, TCXONC, TCOON) < 0))
        return -errno;
    int r = write_all(slave, data, size);
    if (stopped)
        ioctl(slave, TCXONC, TCOOFF);
    return r;
}

static bool any_line_has(const struct buf *pieces, int c)
{
    for (size_t at = 0; at < pieces->size;) {
        struct terminal_piece p;
        memcpy(&p, pieces->data + at, sizeof(p));
        at += sizeof(p);
        if (p.line && memchr(pieces->data + at, c, p.size))
            return true;
        at += p.size;
    }
    return false;
}

/* A character that no line has: with it an EOF is said. */
static int find_unused(const struct buf *pieces)
{
    for (int c = 1; c < 256; c++)
        if (c != '\n' && !any_line_has(pieces, c))
            return c;
    return '\004';
}

/* Nothing means anything but the ends of lines, and all is echoed, byte for byte. */
static void make_literal(struct termios2 *t, int end)
{
    cc_t eol = t->c_cc[VEOL], eol2 = t->c_cc[VEOL2];
    t->c_iflag = 0;
    t->c_oflag &= ~(tcflag_t)OPOST;
    t->c_lflag = (t->c_lflag & (ICANON | IEXTEN | EXTPROC)) | ECHO;
    memset(t->c_cc, 0, sizeof(t->c_cc));
    t->c_cc[VEOL] = eol;
    t->c_cc[VEOL2] = eol2;
    t->c_cc[VEOF] = (cc_t)end;
    if (!(t->c_lflag & ICANON)) {
        t->c_cc[VMIN] = 1;
        t->c_cc[VTIME] = 0;
    }
}

/* The kernel takes in what was written later, at its leisure: the echo says that it has. */
static void await_echo(int master, size_t size)
{
    char echo[BUFFER];
    while (size > 0 && readable(master, ECHO_MS)) {
        ssize_t n = read(master, echo, size < sizeof(echo) ? size : sizeof(echo));
        if (n <= 0)
            return;
        size -= (size_t)n;
    }
}

static bool ends_itself(const struct termios2 *t, const char *line, size_t size)
{
    char last = size ? line[size - 1] : 0;
    return size &&
           (last == '\n' || (last && (last == (char)t->c_cc[VEOL] ||
                                      ((t->c_lflag & IEXTEN) && last == (char)t->c_cc[VEOL2]))));
}

static int give_input(int master, const struct termios2 *literal, const struct terminal_piece *p,
                      const char *data)
{
    char end = (char)literal->c_cc[VEOF];
    int r = 0;
    for (size_t done = 0; r == 0 && done < p->size; done += STEP) {
        size_t step = p->size - done < STEP ? p->size - done : STEP;
        r = write_all(master, data + done, step);
        await_echo(master, step);
    }
    if (r == 0 && p->line && !ends_itself(literal, data, p->size))
        r = write_all(master, &end, 1);
    return r;
}

static int give_pieces(int master, int slave, const struct buf *pieces, bool output,
                       const struct termios2 *t)
{
    int r = 0;
    for (size_t at = 0; r == 0 && at < pieces->size;) {
        struct terminal_piece p;
        memcpy(&p, pieces->data + at, sizeof(p));
        at += sizeof(p);
        if (p.output && output)
            r = give_output(slave, t, pieces->data + at, p.size);
        else if (!p.output && !output)
            r = give_input(master, t, &p, pieces->data + at);
        at += p.size;
    }
    return r;
}

/* A begun line is not to be taken for a whole one, which it would be if canonical mode came back
 * later. */
static int give(int master, int slave, const struct buf *pieces, const struct termios2 *modes)
{
    struct termios2 literal = *modes;
    make_literal(&literal, find_unused(pieces));
    if (ioctl(slave, TCSETS2, &literal) < 0)
        return -errno;
    int r = give_pieces(master, slave, pieces, false, &literal);
    int r2 = give_pieces(master, slave, pieces, true, &literal);
    return r < 0 ? r : r2;
}

/* ---- both, with everything else as it was ---- */

struct saved {
    int master, slave, flags, packets;
    struct termios2 modes;
};

static int prepare(int master, int slave, struct saved *s)
{
    int off = 0;
    *s = (struct saved){.master = master, .slave = slave, .flags = fcntl(master, F_GETFL)};
    if (s->flags < 0 || ioctl(slave, TCGETS2, &s->modes) < 0 ||
        ioctl(master, TIOCGPKT, &s->packets) < 0 || ioctl(master, TIOCPKT, &off) < 0 ||
        fcntl(master, F_SETFL, s->flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static void put_right(const struct saved *s)
{
    ioctl(s->slave, TCSETS2, &s->modes);
    ioctl(s->master, TIOCPKT, &s->packets);
    fcntl(s->master, F_SETFL, s->flags);
}

int terminal_take(int master, int slave, bool input, struct buf *pieces)
{
    _cleanup_buf_ struct buf output = {0};
    struct saved s;
    int r = prepare(master, slave, &s);
    if (r < 0)
        return r;
    r = read_all(master, &output);
    if (output.size)
        add(pieces, true, false, output.data, output.size);
    if (r == 0 && input && s.modes.c_lflag & ICANON)
        r = take_lines(slave, pieces);
    if (r == 0 && input)
        r = take_rest(slave, &s.modes, pieces);
    if (r == 0 && input) /* canonical again while it is empty */
        ioctl(slave, TCSETS2, &s.modes);
    int back = pieces->size ? give(master, slave, pieces, &s.modes) : 0;
    put_right(&s);
    return r < 0 ? r : back;
}

int terminal_give(int master, int slave, const struct buf *pieces)
{
    struct saved s;
    int r = prepare(master, slave, &s);
    if (r < 0)
        return r;
    r = give(master, slave, pieces, &s.modes);
    put_right(&s);
    return r;
}
