#include "container/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/pause.h"
#include "container/state.h"
#include "container/user.h"
#include "container/view.h"
#include "format/pack.h"
#include "format/unpack.h"

/* A path, looked up on its side. */
struct place {
    const struct copy_side *side;
    struct view view;
    char *path;           /* absolute for containers, without "." and "//" */
    bool content;         /* "DIR/.": what is in it */
    bool wants_directory; /* "NAME/" */
    int fd;               /* of what is there, O_PATH, links followed; -1: nothing */
    struct stat st;
    bool paused;
};
#define PLACE_INIT                                                                                 \
    {                                                                                              \
        .view = VIEW_INIT, .fd = -1                                                                \
    }

static void place_clear(struct place *p)
{
    if (p->paused)
        container_unpause(p->side->c, NULL);
    if (p->fd >= 0)
        close(p->fd);
    view_close(&p->view);
    free(p->path);
}

/* ---- paths ---- */

/* ".." goes up textually, at a container's root nowhere. */
static char *clean_path(const char *path)
{
    _cleanup_buf_ struct buf b = {0};
    bool absolute = *path == '/';
    for (const char *p = path; *p;) {
        size_t n = strcspn(p, "/");
        bool up = n == 2 && strncmp(p, "..", 2) == 0 && absolute;
        if (up) {
            char *slash = b.size ? strrchr(b.data, '/') : NULL;
            b.size = slash ? (size_t)(slash - b.data) : 0;
            if (b.data)
                b.data[b.size] = '\0';
        } else if (n && !(n == 1 && *p == '.')) {
            if (b.size || absolute)
                buf_add_char(&b, '/');
            buf_add(&b, p, n);
        }
        p += n + (p[n] == '/');
    }
    if (!b.size)
        buf_add_string(&b, absolute ? "/" : ".");
    return buf_take(&b);
}

static char *absolute_path(const struct copy_side *side)
{
    if (!side->c || *side->path == '/')
        return xstrdup(side->path);
    const char *cwd = js_text(js_path(side->c->config, "spec", "process", "cwd", NULL));
    return xasprintf("%s/%s", cwd && *cwd == '/' ? cwd : "/", side->path);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static int not_found(const struct copy_side *side, struct error *err)
{
    if (!side->c)
        return error_kind_set(err, ERROR_NOT_FOUND,
                              "\"%s\" could not be found on the host: no such file or directory",
                              side->path);
    return error_kind_set(err, ERROR_NOT_FOUND,
                          "\"%s\" could not be found on container %s: no such file or directory",
                          side->path, side->c->name);
}

static int cannot(const struct place *p, const char *what, int code, struct error *err)
{
    return error_errno(err, code, "cannot %s %s%s%s", what, p->side->path,
                       p->side->c ? " of container " : "", p->side->c ? p->side->c->name : "");
}

/* ---- sides ---- */

static int pause_meanwhile(struct place *p, const struct copy_options *o, struct error *err)
{
    struct container_status s;
    struct container *c = p->side->c;
    if (!c || !o->pause || !cgroup_is_used(c) || container_status(c, &s, NULL) < 0 ||
        s.state != CONTAINER_RUNNING)
        return 0;
    int r = container_pause(c, err);
    p->paused = r == 0;
    return r;
}

static int look_up(const struct copy_side *side, const struct copy_options *o, struct place *ret,
                   struct error *err)
{
    ret->side = side;
    if (!*side->path)
        return error_kind_set(err, ERROR_USAGE, "a path to copy is empty");
    _cleanup_free_ char *path = absolute_path(side);
    ret->path = clean_path(path);
    ret->content = string_ends(side->path, "/.") || string_equal(side->path, ".") ||
                   string_equal(ret->path, "/");
    ret->wants_directory = ret->content || string_ends(side->path, "/");
    int r = pause_meanwhile(ret, o, err);
    if (r == 0)
        r = view_open(side->c, &ret->view, err);
    if (r < 0)
        return r;
    int fd = view_open_path(&ret->view, ret->path, O_PATH);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return 0;
    if (fd < 0 || fstat(fd, &ret->st) < 0)
        return cannot(ret, "open", fd < 0 ? -fd : errno, err);
    ret->fd = fd;
    return 0;
}

static int reopen(const struct place *p, int flags, struct error *err)
{
    _cleanup_free_ char *at = xasprintf("/proc/self/fd/%d", p->fd);
    int fd = open(at, flags | O_CLOEXEC);
    return fd < 0 ? cannot(p, "open", errno, err) : fd;
}

/* ---- out ---- */

/* A source, as the writer of a tar sees it. */
struct source {
    const struct place *place;
    const char *name; /* what it is called in the tar, NULL: its content alone */
    bool with_root;   /* an entry of the directory itself */
};

static int write_file(const struct source *s, tar_write_fn write, void *context, struct error *err)
{
    const struct stat *st = &s->place->st;
    if (!S_ISREG(st->st_mode))
        return error_kind_set(err, ERROR_USAGE,
                              "%s is neither a file nor a directory: it is not copied",
                              s->place->side->path);
    _cleanup_close_ int fd = reopen(s->place, O_RDONLY | O_NONBLOCK, err);
    if (fd < 0)
        return fd;
    const struct tar_entry e = {
        .path = (char *)s->name,
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .size = (uint64_t)st->st_size,
    };
    size_t room = 1 << 18;
    _cleanup_free_ char *chunk = xmalloc(room);
    _cleanup_(tar_writer_freep) struct tar_writer *w = NULL;
    int r = tar_writer_open(write, context, &w, err);
    if (r == 0)
        r = tar_writer_add(w, &e, err);
    for (uint64_t left = e.size; r == 0 && left;) {
        ssize_t n = read_full(fd, chunk, left < room ? (size_t)left : room);
        if (n < 0)
            return cannot(s->place, "read", (int)-n, err);
        if (n == 0)
            break;
        r = tar_writer_data(w, chunk, (uint64_t)n, err);
        left -= (uint64_t)n;
    }
    return r < 0 ? r : tar_writer_end(w, err);
}

static int write_source(const struct source *s, tar_write_fn write, void *context,
                        struct error *err)
{
    if (!S_ISDIR(s->place->st.st_mode))
        return write_file(s, write, context, err);
    const struct pack_options o = {
        .flags = PACK_NO_OVERLAY_XATTRS | (s->with_root ? PACK_ROOT : 0),
        .prefix = s->name,
    };
    _cleanup_close_ int fd = reopen(s->place, O_RDONLY | O_DIRECTORY, err);
    return fd < 0 ? fd : pack_tree(fd, &o, write, context, err);
}

int container_copy_out(const struct copy_side *from, const struct copy_options *options,
                       tar_write_fn write, void *context, struct error *err)
{
    _cleanup_(place_clear) struct place p = PLACE_INIT;
    int r = look_up(from, options, &p, err);
    if (r < 0)
        return r;
    if (p.fd < 0)
        return not_found(from, err);
    const struct source s = {
        .place = &p, .name = p.content ? NULL : base_name(p.path), .with_root = true};
    return write_source(&s, write, context, err);
}

/* ---- in ---- */

static int owner_of(const struct container *c, struct unpack_options *o, struct error *err)
{
    _cleanup_container_user_ struct container_user user = {0};
    _cleanup_free_ char *merged = container_path(c, "merged");
    const char *name = js_get_string(c->config, "user");
    int r = container_user_lookup(merged, name ? name : "", NULL, &user, err);
    o->flags |= UNPACK_OWNER;
    o->uid = user.uid;
    o->gid = user.gid;
    return r;
}

static int unpack_into(const struct place *to, int dirfd, int fd, const char *what,
                       const struct copy_options *options, struct error *err)
{
    struct unpack_options o = {.flags = UNPACK_SKIP_DEVICES};
    int r = 0;
    if (!options->overwrite)
        o.flags |= UNPACK_KEEP_KIND;
    if (!to->side->c)
        o.flags |= UNPACK_NO_OWNER;
    else if (options->archive)
        r = owner_of(to->side->c, &o, err);
    return r < 0 ? r : unpack_fd(fd, what, dirfd, &o, NULL, err);
}

int container_copy_in(int fd, const char *what, const struct copy_side *to,
                      const struct copy_options *options, struct error *err)
{
    _cleanup_(place_clear) struct place p = PLACE_INIT;
    int r = look_up(to, options, &p, err);
    if (r < 0)
        return r;
    if (p.fd < 0)
        return not_found(to, err);
    if (!S_ISDIR(p.st.st_mode))
        return error_kind_set(err, ERROR_USAGE,
                              "destination must be a directory when copying from %s", what);
    _cleanup_close_ int directory = reopen(&p, O_RDONLY | O_DIRECTORY, err);
    return directory < 0 ? directory : unpack_into(&p, directory, fd, what, options, err);
}

/* ---- from side to side ---- */

/* The writer of the tar, in a thread of its own. */
struct writer {
    const struct source *source;
    int fd;
    int result;
    struct error err;
};

static int write_pipe(void *context, const void *data, size_t size)
{
    return write_full(*(int *)context, data, size);
}

static void *write_in_thread(void *context)
{
    struct writer *w = context;
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    w->result = write_source(w->source, write_pipe, &w->fd, &w->err);
    close(w->fd);
    return NULL;
}

static int carry(const struct source *s, const struct place *to, int dirfd,
                 const struct copy_options *o, struct error *err)
{
    int ends[2];
    pthread_t thread;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot copy");
    struct writer w = {.source = s, .fd = ends[1]};
    int code = pthread_create(&thread, NULL, write_in_thread, &w);
    if (code) {
        close(ends[0]);
        close(ends[1]);
        return error_errno(err, code, "cannot copy");
    }
    int r = unpack_into(to, dirfd, ends[0], s->place->side->path, o, err);
    close(ends[0]);
    pthread_join(thread, NULL);
    /* A cause on the writing side shows as an archive that is cut off. */
    if (w.result < 0 && w.err.code != EPIPE) {
        *err = w.err;
        return w.result;
    }
    return r;
}

/* The directory to unpack into, and what the source is called in it. */
static int choose_target(const struct place *from, const struct place *to, struct source *s,
                         struct error *err)
{
    bool directory = S_ISDIR(from->st.st_mode);
    if (to->fd >= 0 && S_ISDIR(to->st.st_mode)) {
        s->name = from->content && directory ? NULL : base_name(from->path);
        s->with_root = s->name != NULL;
        return reopen(to, O_RDONLY | O_DIRECTORY, err);
    }
    if (to->fd >= 0 && to->wants_directory)
        return error_kind_set(err, ERROR_USAGE, "%s is not a directory", to->side->path);
    if (to->fd < 0 && to->wants_directory && !directory)
        return not_found(to->side, err);
    _cleanup_free_ char *parent = directory_of(to->path);
    int fd = view_open_path(&to->view, parent, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOENT || fd == -ENOTDIR)
        return not_found(to->side, err);
    if (fd < 0)
        return cannot(to, "open the directory of", -fd, err);
    s->name = base_name(to->path);
    s->with_root = true;
    return fd;
}

int container_copy(const struct copy_side *from, const struct copy_side *to,
                   const struct copy_options *options, struct error *err)
{
    _cleanup_(place_clear) struct place source = PLACE_INIT;
    _cleanup_(place_clear) struct place target = PLACE_INIT;
    int r = look_up(from, options, &source, err);
    if (r == 0 && source.fd < 0)
        r = not_found(from, err);
    if (r == 0)
        r = look_up(to, options, &target, err);
    if (r < 0)
        return r;
    struct source s = {.place = &source};
    _cleanup_close_ int directory = choose_target(&source, &target, &s, err);
    return directory < 0 ? directory : carry(&s, &target, directory, options, err);
}

/* ---- looking ---- */

int container_copy_stat(const struct copy_side *side, struct copy_stat *ret, struct error *err)
{
    _cleanup_(place_clear) struct place p = PLACE_INIT;
    int r = look_up(side, &(struct copy_options){0}, &p, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = view_open_path(&p.view, p.path, O_PATH | O_NOFOLLOW);
    struct stat st;
    char link[4096] = "";
    if (fd < 0 || fstat(fd, &st) < 0)
        return not_found(side, err);
    if (S_ISLNK(st.st_mode) && readlinkat(fd, "", link, sizeof(link) - 1) < 0)
        return cannot(&p, "read link", errno, err);
    *ret = (struct copy_stat){
        .name = xstrdup(p.content ? "/" : base_name(p.path)),
        .size = st.st_size,
        .mode = st.st_mode,
        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
        .link = xstrdup(link),
    };
    return 0;
}

void copy_stat_clear(struct copy_stat *s)
{
    free(s->name);
    free(s->link);
}
