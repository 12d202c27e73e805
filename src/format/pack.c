#include "format/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"

#define COPY_SIZE (1u << 20)
#define MAX_DEPTH 1000 /* directories are open on the way down */

/* What is written: the entry, and where its content is read. */
struct item {
    struct tar_entry entry;
    char *source; /* path in the tree */
    dev_t dev;
    ino_t ino;
};

/* The first name of an inode that has several. */
struct first {
    dev_t dev;
    ino_t ino;
    char *path;
};

struct pack {
    const struct pack_options *options;
    int root;
    dev_t dev;
    struct item *items;
    size_t count, room;
    void *firsts; /* tsearch tree */
    uint64_t content, size;
};

static int compare_first(const void *left, const void *right)
{
    const struct first *a = left, *b = right;
    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    return a->ino < b->ino ? -1 : a->ino > b->ino;
}

static void free_first(void *p)
{
    struct first *f = p;
    free(f->path);
    free(f);
}

/* Remembers the inode; the path it was met under before, or NULL. */
static const char *other_name(struct pack *p, const struct stat *st, const char *path)
{
    const struct first key = {.dev = st->st_dev, .ino = st->st_ino};
    void *found = tfind(&key, &p->firsts, compare_first);
    if (found)
        return (*(struct first **)found)->path;
    struct first *new = xmalloc(sizeof(*new));
    *new = (struct first){.dev = st->st_dev, .ino = st->st_ino, .path = xstrdup(path)};
    if (!tsearch(new, &p->firsts, compare_first))
        abort(); /* out of memory */
    return NULL;
}

static bool overlay_xattr(const char *name)
{
    return string_starts(name, "trusted.overlay.") || string_starts(name, "user.overlay.") ||
           string_starts(name, "user.fuseoverlayfs.");
}

static bool keep_xattr(const struct pack *p, const char *name)
{
    const unsigned without = PACK_NO_OVERLAY_XATTRS | PACK_WHITEOUTS;
    return !(p->options->flags & without && overlay_xattr(name));
}

/* Lists change between two calls: grow until it fits. Returns the size or -errno. */
static ssize_t read_xattr(const char *at, const char *name, struct buf *b)
{
    for (size_t room = 256;; room *= 4) {
        char *into = buf_reserve(b, room);
        ssize_t n = name ? lgetxattr(at, name, into, room) : llistxattr(at, into, room);
        if (n < 0 && errno == ERANGE && room < (1u << 20))
            continue;
        if (n < 0)
            return -errno;
        b->size += (size_t)n;
        return n;
    }
}

static int add_xattrs(const struct pack *p, const char *at, struct tar_entry *e, struct error *err)
{
    _cleanup_buf_ struct buf names = {0};
    ssize_t n = read_xattr(at, NULL, &names);
    if (n == -ENOTSUP)
        return 0;
    if (n < 0)
        return error_errno(err, (int)-n, "cannot list the attributes of %s", e->path);
    for (const char *name = names.data; name < names.data + n; name += strlen(name) + 1) {
        if (!keep_xattr(p, name))
            continue;
        _cleanup_buf_ struct buf value = {0};
        ssize_t size = read_xattr(at, name, &value);
        if (size == -ENODATA || size == -ENOTSUP)
            continue;
        if (size < 0)
            return error_errno(err, (int)-size, "cannot read attribute %s of %s", name, e->path);
        tar_entry_add_xattr(e, name, value.data, (size_t)size);
    }
    return 0;
}

static int add_extents(int dirfd, const char *name, struct tar_entry *e, struct error *err)
{
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", e->path);
    off_t end = 0, size = (off_t)e->size;
    while (end < size) {
        off_t start = lseek(fd, end, SEEK_DATA);
        if (start < 0 && errno == ENXIO)
            break;
        if (start >= 0)
            end = lseek(fd, start, SEEK_HOLE);
        if (start < 0 || end < 0)
            return error_errno(err, errno, "cannot find the holes of %s", e->path);
        if (start >= size)
            break;
        end = end > size ? size : end;
        tar_entry_add_extent(e, (uint64_t)start, (uint64_t)(end - start));
    }
    e->sparse = !(e->extent_count == 1 && e->extents[0].size == e->size);
    return 0;
}

static int read_link(int dirfd, const char *name, struct tar_entry *e, struct error *err)
{
    char target[4096];
    ssize_t n = readlinkat(dirfd, name, target, sizeof(target));
    if (n < 0 || (size_t)n == sizeof(target))
        return error_errno(err, n < 0 ? errno : ENAMETOOLONG, "cannot read link %s", e->path);
    e->link = xstrndup(target, (size_t)n);
    return 0;
}

static int fill_entry(const struct pack *p, int dirfd, const char *name, const struct stat *st,
                      struct tar_entry *e, struct error *err)
{
    _cleanup_free_ char *at = xasprintf("/proc/self/fd/%d/%s", dirfd, name);
    e->mode = st->st_mode;
    e->uid = st->st_uid;
    e->gid = st->st_gid;
    e->mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    e->rdev = st->st_rdev;
    e->size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
    if (S_ISLNK(st->st_mode)) {
        int r = read_link(dirfd, name, e, err);
        if (r < 0)
            return r;
    }
    return add_xattrs(p, at, e, err);
}

static uint64_t content_size(const struct tar_entry *e)
{
    if (!e->sparse)
        return e->hard_link ? 0 : e->size;
    uint64_t sum = 0;
    for (size_t i = 0; i < e->extent_count; i++)
        sum += e->extents[i].size;
    return sum;
}

/* The entry becomes the pack's. */
static void add_item(struct pack *p, struct tar_entry *e, const char *source, const struct stat *st)
{
    array_reserve(p->items, p->count, p->room);
    p->items[p->count++] = (struct item){
        .entry = *e,
        .source = xstrdup(source),
        .dev = st->st_dev,
        .ino = st->st_ino,
    };
    *e = (struct tar_entry){0};
    if (S_ISREG(st->st_mode))
        p->content += content_size(&p->items[p->count - 1].entry);
}

static int finish_entry(struct pack *p, int dirfd, const char *name, const struct stat *st,
                        struct tar_entry *e, struct error *err)
{
    const char *other = NULL;
    if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
        other = other_name(p, st, e->path);
    if (other) {
        e->hard_link = true;
        free(e->link);
        e->link = xstrdup(other);
        return 0;
    }
    if (S_ISREG(st->st_mode) && st->st_blocks < (st->st_size + 511) / 512)
        return add_extents(dirfd, name, e, err);
    return 0;
}

static void add_whiteout(struct pack *p, const char *dir, const char *name, const char *source,
                         const struct stat *st)
{
    struct tar_entry e = {
        .path = xasprintf("%s%s.wh.%s", dir, *dir ? "/" : "", name),
        .mode = S_IFREG,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
    };
    struct stat empty = {.st_mode = 0};
    add_item(p, &e, source, &empty);
}

static bool is_opaque(int dirfd, const char *name)
{
    _cleanup_free_ char *at = xasprintf("/proc/self/fd/%d/%s", dirfd, name);
    char value[2];
    return (lgetxattr(at, "trusted.overlay.opaque", value, 2) == 1 && value[0] == 'y') ||
           (lgetxattr(at, "user.overlay.opaque", value, 2) == 1 && value[0] == 'y');
}

static int scan_dir(struct pack *p, int dirfd, const char *path, int depth, struct error *err);

static char *prefixed(const struct pack *p, const char *path)
{
    const char *prefix = p->options->prefix;
    if (!prefix)
        return xstrdup(*path ? path : "./");
    return xasprintf("%s/%s", prefix, path);
}

static int scan_below(struct pack *p, int dirfd, const char *name, const char *path,
                      const struct stat *st, int depth, struct error *err)
{
    if (st->st_dev != p->dev)
        return 0;
    if (depth >= MAX_DEPTH)
        return error_set(err, ELOOP, "directory %s is nested too deeply", path);
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open directory %s", path);
    return scan_dir(p, fd, path, depth + 1, err);
}

static int scan_name(struct pack *p, int dirfd, const char *parent, const char *name, int depth,
                     struct error *err)
{
    _cleanup_free_ char *path = xasprintf("%s%s%s", parent, *parent ? "/" : "", name);
    _cleanup_tar_entry_ struct tar_entry e = {.path = prefixed(p, path)};
    const bool whiteouts = p->options->flags & PACK_WHITEOUTS;
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return error_errno(err, errno, "cannot stat %s", path);
    int r = fill_entry(p, dirfd, name, &st, &e, err);
    if (r < 0)
        return r;
    enum pack_verdict verdict = PACK_TAKE;
    if (p->options->filter)
        verdict = p->options->filter(p->options->context, path, &st, &e);
    if (verdict == PACK_SKIP)
        return 0;
    if (verdict == PACK_TAKE && whiteouts && S_ISCHR(st.st_mode) && st.st_rdev == 0) {
        add_whiteout(p, parent, name, path, &st);
        return 0;
    }
    r = finish_entry(p, dirfd, name, &st, &e, err);
    if (r < 0)
        return r;
    if (verdict == PACK_TAKE)
        add_item(p, &e, path, &st);
    if (!S_ISDIR(st.st_mode))
        return 0;
    if (whiteouts && is_opaque(dirfd, name))
        add_whiteout(p, path, ".wh..opq", path, &st);
    return scan_below(p, dirfd, name, path, &st, depth, err);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes the descriptor over. */
static int list_names(int fd, DIR **ret_dir, char ***ret, const char *path, struct error *err)
{
    _cleanup_strv_ char **names = NULL;
    size_t count = 0, room = 0;
    _cleanup_closedir_ DIR *dir = fdopendir(fd);
    if (!dir) {
        int code = errno;
        close(fd);
        return error_errno(err, code, "cannot read directory %s", path);
    }
    errno = 0;
    for (struct dirent *d; (d = readdir(dir)); errno = 0) {
        if (string_equal(d->d_name, ".") || string_equal(d->d_name, ".."))
            continue;
        array_reserve(names, count + 1, room);
        names[count++] = xstrdup(d->d_name);
        names[count] = NULL;
    }
    if (errno)
        return error_errno(err, errno, "cannot read directory %s", path);
    if (count)
        qsort(names, count, sizeof(*names), compare_names);
    *ret = take_ptr(names);
    *ret_dir = take_ptr(dir);
    return 0;
}

static int scan_dir(struct pack *p, int fd, const char *path, int depth, struct error *err)
{
    _cleanup_strv_ char **names = NULL;
    _cleanup_closedir_ DIR *dir = NULL;
    int r = list_names(fd, &dir, &names, path, err);
    STRV_FOREACH(name, names)
    {
        if (r == 0)
            r = scan_name(p, dirfd(dir), path, *name, depth, err);
    }
    return r;
}

static int scan_root(struct pack *p, struct error *err)
{
    struct stat st;
    int fd = openat(p->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int code = errno;
        cleanup_close(&fd);
        return error_errno(err, code, "cannot open the directory to pack");
    }
    p->dev = st.st_dev;
    if (p->options->flags & PACK_ROOT) {
        _cleanup_tar_entry_ struct tar_entry e = {.path = prefixed(p, "")};
        int r = fill_entry(p, fd, ".", &st, &e, err);
        if (r < 0) {
            close(fd);
            return r;
        }
        add_item(p, &e, ".", &st);
    }
    return scan_dir(p, fd, "", 0, err);
}

static int count_bytes(void *context, const void *data, size_t size)
{
    *(uint64_t *)context += size;
    return 0;
}

/* Opens the very file that was scanned. */
static int open_item(const struct pack *p, const struct item *item, struct error *err)
{
    struct stat st;
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    _cleanup_close_ int fd = open_in_root(p->root, item->source, flags, 0);
    if (fd < 0)
        return error_errno(err, -fd, "cannot open %s", item->source);
    if (fstat(fd, &st) < 0 || st.st_dev != item->dev || st.st_ino != item->ino)
        return error_set(err, ESTALE, "%s was replaced while it was being packed", item->source);
    return take_fd(fd);
}

/* Copies a range; a file that became shorter gives zeros for what is missing. */
static int write_range(struct tar_writer *w, int fd, const struct item *item, struct tar_extent x,
                       void *buffer, struct error *err)
{
    while (x.size) {
        size_t step = x.size < COPY_SIZE ? (size_t)x.size : COPY_SIZE;
        ssize_t n = pread(fd, buffer, step, (off_t)x.offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, errno, "cannot read %s", item->source);
        if (n == 0)
            return tar_writer_data(w, NULL, x.size, err);
        int r = tar_writer_data(w, buffer, (uint64_t)n, err);
        if (r < 0)
            return r;
        x.offset += (uint64_t)n;
        x.size -= (uint64_t)n;
    }
    return 0;
}

static int write_content(const struct pack *p, struct tar_writer *w, const struct item *item,
                         void *buffer, struct error *err)
{
    const struct tar_entry *e = &item->entry;
    _cleanup_close_ int fd = open_item(p, item, err);
    if (fd < 0)
        return fd;
    if (!e->sparse)
        return write_range(w, fd, item, (struct tar_extent){0, e->size}, buffer, err);
    uint64_t at = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < e->extent_count; i++) {
        r = tar_writer_data(w, NULL, e->extents[i].offset - at, err);
        if (r == 0)
            r = write_range(w, fd, item, e->extents[i], buffer, err);
        at = e->extents[i].offset + e->extents[i].size;
    }
    return r < 0 ? r : tar_writer_data(w, NULL, e->size - at, err);
}

static int write_items(const struct pack *p, bool content, tar_write_fn write, void *context,
                       struct error *err)
{
    _cleanup_free_ void *buffer = content ? xmalloc(COPY_SIZE) : NULL;
    _cleanup_(tar_writer_freep) struct tar_writer *w = NULL;
    int r = tar_writer_open(write, context, &w, err);
    for (size_t i = 0; r == 0 && i < p->count; i++) {
        const struct tar_entry *e = &p->items[i].entry;
        r = tar_writer_add(w, e, err);
        if (r == 0 && content && S_ISREG(e->mode) && !e->hard_link && e->size)
            r = write_content(p, w, &p->items[i], buffer, err);
    }
    return r < 0 ? r : tar_writer_end(w, err);
}

int pack_scan(int dirfd, const struct pack_options *options, struct pack **ret, struct error *err)
{
    _cleanup_(pack_freep) struct pack *p = xcalloc(1, sizeof(*p));
    p->options = options;
    p->root = dirfd;
    int r = scan_root(p, err);
    p->options = NULL;
    if (r == 0)
        r = write_items(p, false, count_bytes, &p->size, err);
    if (r < 0)
        return r;
    *ret = take_ptr(p);
    return 0;
}

size_t pack_entries(const struct pack *p)
{
    return p->count;
}

uint64_t pack_content(const struct pack *p)
{
    return p->content;
}

uint64_t pack_size(const struct pack *p)
{
    return p->size;
}

int pack_write(const struct pack *p, tar_write_fn write, void *context, struct error *err)
{
    return write_items(p, true, write, context, err);
}

void pack_free(struct pack *p)
{
    for (size_t i = 0; i < p->count; i++) {
        tar_entry_clear(&p->items[i].entry);
        free(p->items[i].source);
    }
    tdestroy(p->firsts, free_first);
    free(p->items);
    free(p);
}

int pack_tree(int dirfd, const struct pack_options *options, tar_write_fn write, void *context,
              struct error *err)
{
    _cleanup_(pack_freep) struct pack *p = NULL;
    int r = pack_scan(dirfd, options, &p, err);
    return r < 0 ? r : pack_write(p, write, context, err);
}
