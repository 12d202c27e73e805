#include "container/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/cleanup.h"
#include "container/log-line.h"
#include "container/monitor.h"
#include "container/state.h"

/* One reading of a log. */
struct reader {
    const struct logs_options *options;
    const char *path;
    int fd;
    int64_t skip;     /* whole lines still to be left out for --tail */
    bool in_line;     /* the last thing written was part of a line */
    bool reader_gone; /* of our output */
    struct buf input; /* the end of it may be half a line */
    int64_t shown;    /* time of the last line that was handled */
    int64_t again;    /* the log was begun anew: what is not later than this was shown already */
};

enum { AWAY_MS = 200 };

static int open_log(struct reader *r, struct error *err)
{
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
    return r->fd >= 0 || errno == ENOENT ? 0 : error_errno(err, errno, "cannot open %s", r->path);
}

static void print(struct reader *r, const struct log_line *line)
{
    const struct logs_options *o = r->options;
    int fd = line->is_stderr ? o->stderr_fd : o->stdout_fd;
    int written = 0;
    _cleanup_buf_ struct buf b = {0};
    if (!r->in_line && o->prefix)
        buf_add_string(&b, o->prefix);
    if (!r->in_line && o->timestamps) {
        _cleanup_free_ char *stamp = time_rfc3339(line->time);
        buf_printf(&b, "%s ", stamp);
    }
    buf_add(&b, line->text, line->size);
    if (!line->partial)
        buf_add_char(&b, '\n');
    r->in_line = line->partial;
    if (o->write)
        written = o->write(o->context, line->is_stderr, b.data, b.size);
    else if (fd >= 0)
        written = write_full(fd, b.data, b.size);
    r->reader_gone |= written < 0;
}

static void handle(struct reader *r, const char *text, size_t size)
{
    struct log_line line;
    if (!log_line_parse(text, size, &line))
        return;
    const struct logs_options *o = r->options;
    if (line.time <= r->again)
        return;
    r->shown = line.time;
    if (o->shown)
        *o->shown = line.time;
    if (r->skip > 0) {
        r->skip -= !line.partial;
        return;
    }
    if ((o->since && line.time < o->since) || (o->until && line.time > o->until))
        return;
    print(r, &line);
}

/* What is in the file now. */
static int drain(struct reader *r, struct error *err)
{
    const size_t step = 65536;
    while (r->fd >= 0 && !r->reader_gone) {
        ssize_t n = read(r->fd, buf_reserve(&r->input, step), step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", r->path);
        if (n == 0)
            return 0;
        r->input.size += (size_t)n;
        char *start = r->input.data, *end = start + r->input.size, *newline;
        while ((newline = memchr(start, '\n', (size_t)(end - start)))) {
            handle(r, start, (size_t)(newline - start));
            start = newline + 1;
        }
        r->input.size = (size_t)(end - start);
        memmove(r->input.data, start, r->input.size);
    }
    return 0;
}

/* How many whole lines the file has: for --tail. */
static int count_lines(const char *path, int64_t *ret, struct error *err)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_buf_ struct buf b = {0};
    const size_t step = 65536;
    int64_t lines = 0;
    for (;;) {
        ssize_t n = fd < 0 ? 0 : read(fd, buf_reserve(&b, step), step);
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", path);
        if (n == 0)
            break;
        b.size += (size_t)n;
        char *start = b.data, *end = start + b.size, *newline;
        while ((newline = memchr(start, '\n', (size_t)(end - start)))) {
            struct log_line line;
            lines += log_line_parse(start, (size_t)(newline - start), &line) && !line.partial;
            start = newline + 1;
        }
        b.size = (size_t)(end - start);
        memmove(b.data, start, b.size);
    }
    *ret = lines;
    return 0;
}

/* conmon begins a new file when the old one is full; after an import it is another one that begins
 * with what was in the old. */
static int follow_rotation(struct reader *r, struct error *err)
{
    struct stat ours, there;
    if (stat(r->path, &there) < 0)
        return 0;
    if (r->fd >= 0 && fstat(r->fd, &ours) == 0 && ours.st_ino == there.st_ino &&
        ours.st_dev == there.st_dev)
        return 0;
    if (r->fd >= 0)
        close(take_fd(r->fd));
    r->again = r->shown;
    int e = open_log(r, err);
    return e < 0 ? e : drain(r, err);
}

/* The directory of the log, watched. */
struct watch {
    int fd;
    ino_t inode;
};

static void watch_clear(struct watch *w)
{
    cleanup_close(&w->fd);
}

/* Until the log's directory or the container's init has news. Without an init the container is on
 * disk, and may come back in a directory that nobody watches yet. */
static int wait_for_news(int watch, int end_fd, bool *ret_ended)
{
    struct pollfd p[2] = {{.fd = watch, .events = POLLIN}, {.fd = end_fd, .events = POLLIN}};
    if (poll(p, 2, end_fd < 0 ? AWAY_MS : -1) < 0 && errno != EINTR)
        return -errno;
    char events[4096];
    while (read(watch, events, sizeof(events)) > 0)
        ;
    *ret_ended = p[1].revents;
    return 0;
}

/* An import makes the directory anew. A missing one is watched when it is there. */
static int watch_directory(const char *path, struct watch *w)
{
    struct stat st;
    _cleanup_free_ char *directory = xstrdup(path);
    char *slash = strrchr(directory, '/');
    *(slash ? slash : directory) = '\0';
    if (stat(directory, &st) < 0 || (w->fd >= 0 && st.st_ino == w->inode))
        return 0;
    _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0 ||
        inotify_add_watch(fd, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF) < 0)
        return -errno;
    cleanup_close(&w->fd);
    *w = (struct watch){.fd = take_fd(fd), .inode = st.st_ino};
    return 0;
}

/* The init whose end ends the following; a container that was checkpointed has none now, but its
 * log goes on when it is restored. 0: the container ended for good, 1: it has not. */
static int find_end(struct container *c, int *end_fd)
{
    struct container_status s;
    if (container_status(c, &s, NULL) < 0)
        return 0;
    if (s.init.pid && (*end_fd = process_open(&s.init)) >= 0)
        return 1;
    return checkpoint_mark_exists(c) || (container_refresh(c, NULL) == 0 && c->facts.checkpointed);
}

static int follow(struct reader *r, struct container *c, struct error *err)
{
    _cleanup_(watch_clear) struct watch watch = {.fd = -1};
    _cleanup_close_ int end_fd = -1;
    find_end(c, &end_fd);
    bool ended = end_fd < 0;
    for (;;) {
        int e = watch_directory(r->path, &watch);
        if (e < 0)
            return error_errno(err, -e, "cannot watch %s", r->path);
        e = drain(r, err);
        if (e == 0)
            e = follow_rotation(r, err);
        if (e < 0 || ended || r->reader_gone)
            return e;
        bool init_ended = false;
        e = wait_for_news(watch.fd, end_fd, &init_ended);
        if (e < 0)
            return error_errno(err, -e, "cannot follow the log of container %s", c->id);
        if (init_ended) {
            /* conmon writes the last lines before the exit file. */
            monitor_exit_wait(c, INT64_C(5000000000));
            close(take_fd(end_fd));
        }
        if (end_fd < 0)
            ended = !find_end(c, &end_fd);
    }
}

int container_logs(struct container *c, const struct logs_options *options, struct error *err)
{
    _cleanup_free_ char *path = container_log_path(c);
    if (!path)
        return error_kind_set(err, ERROR_GENERIC,
                              "this container is using the 'none' log driver, cannot read logs: "
                              "this container is not logging output");
    struct reader r = {.options = options, .path = path, .fd = -1};
    r.again = options->shown ? *options->shown : 0;
    int64_t lines = 0;
    int e = options->tail >= 0 ? count_lines(path, &lines, err) : 0;
    if (e == 0)
        e = open_log(&r, err);
    r.skip = options->tail >= 0 && lines > options->tail ? lines - options->tail : 0;
    if (e == 0)
        e = options->follow ? follow(&r, c, err) : drain(&r, err);
    cleanup_close(&r.fd);
    buf_free(&r.input);
    return e;
}
