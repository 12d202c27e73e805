#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "engine/ghost.h"

#define CHUNK     (1u << 20)
#define DEPTH_MAX 100

/* ---- another name of the same file ---- */

struct search {
    const struct stat *wanted;
    dev_t dev; /* directories of one file system only: links do not lead out of it */
    char path[PATH_MAX];
};

static bool search_directory(struct search *s, int dirfd, size_t length, int depth);

static bool search_entry(struct search *s, int dirfd, size_t length, const char *name, int depth)
{
    struct stat st;
    if (string_equal(name, ".") || string_equal(name, "..") ||
        fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    int n = snprintf(s->path + length, sizeof(s->path) - length, "/%s", name);
    if (n < 0 || length + (size_t)n >= sizeof(s->path))
        return false;
    if (st.st_ino == s->wanted->st_ino && st.st_dev == s->wanted->st_dev)
        return true;
    if (!S_ISDIR(st.st_mode) || st.st_dev != s->dev)
        return false;
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && search_directory(s, fd, length + (size_t)n, depth + 1);
}

/* Takes the descriptor over. */
static bool search_directory(struct search *s, int dirfd, size_t length, int depth)
{
    DIR *dir = depth < DEPTH_MAX ? fdopendir(dirfd) : NULL;
    if (!dir) {
        close(dirfd);
        return false;
    }
    bool found = false;
    for (const struct dirent *e; !found && (e = readdir(dir));)
        found = search_entry(s, dirfd, length, e->d_name, depth);
    closedir(dir);
    return found;
}

static int open_directory(const struct dump *d, const char *path)
{
    return open_in_root(d->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
}

/* The highest directory above `path` on the file system that `path` was on. */
static int open_top(const struct dump *d, struct search *s, const char *path)
{
    struct stat st;
    int top = -ENOENT;
    snprintf(s->path, sizeof(s->path), "%s", path);
    for (char *slash; (slash = strrchr(s->path, '/'));) {
        *slash = 0;
        int fd = open_directory(d, s->path[0] ? s->path : "/");
        if (fd < 0)
            continue;
        if (fstat(fd, &st) < 0 || (top >= 0 && st.st_dev != s->dev)) {
            close(fd);
            break;
        }
        if (top >= 0)
            close(top);
        s->dev = st.st_dev;
        top = fd;
    }
    return top;
}

/* The path of the directory behind `fd` in the container. */
static size_t path_of(const struct dump *d, int fd, char *path, size_t size)
{
    char link[64], root[PATH_MAX] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    path[n > 0 ? n : 0] = 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", d->root_fd);
    n = readlink(link, root, sizeof(root) - 1);
    size_t skip = n > 1 && strncmp(path, root, (size_t)n) == 0 ? (size_t)n : 0;
    memmove(path, path + skip, strlen(path + skip) + 1);
    if (string_equal(path, "/"))
        path[0] = 0;
    return strlen(path);
}

static bool find_other_name(const struct dump *d, const struct descriptor *f, struct search *s)
{
    s->wanted = &f->st;
    int top = open_top(d, s, f->link);
    return top >= 0 && search_directory(s, top, path_of(d, top, s->path, sizeof(s->path)), 0);
}

/* ---- noting ---- */

static void add_remap(struct dump *d, uint32_t from, uint32_t to, RemapType type)
{
    RemapFilePathEntry *e = arena_new_of(d->arena, RemapFilePathEntry);
    remap_file_path_entry__init(e);
    e->orig_id = from;
    e->remap_id = to;
    e->has_remap_type = true;
    e->remap_type = type;
    array_reserve(d->remaps, d->remap_count, d->remap_room);
    d->remaps[d->remap_count++] = e;
}

static struct ghost *find_ghost(struct dump *d, const struct descriptor *f)
{
    for (size_t i = 0; i < d->ghost_count; i++)
        if (d->ghosts[i].st.st_ino == f->st.st_ino && d->ghosts[i].st.st_dev == f->st.st_dev)
            return &d->ghosts[i];
    return NULL;
}

/* An open file of nobody, for the other name. */
static uint32_t add_linked_file(struct dump *d, const struct descriptor *f, const char *name)
{
    RegFileEntry *reg = arena_new_of(d->arena, RegFileEntry);
    FileEntry *entry = dump_new_entry(d);
    reg_file_entry__init(reg);
    reg->id = entry->id;
    entry->type = FD_TYPES__REG;
    entry->reg = reg;
    reg->fown = arena_new_of(d->arena, FownEntry);
    fown_entry__init(reg->fown);
    reg->name = arena_strdup(d->arena, name);
    reg->has_mode = true;
    reg->mode = f->st.st_mode;
    return reg->id;
}

static struct ghost *add_ghost(struct dump *d, const struct descriptor *f)
{
    array_reserve(d->ghosts, d->ghost_count, d->ghost_room);
    struct ghost *g = &d->ghosts[d->ghost_count++];
    *g = (struct ghost){.id = (uint32_t)d->ghost_count, .st = f->st, .type = REMAP_TYPE__GHOST};
    g->place = descriptor_place(d, f);
    return g;
}

int ghost_note(struct dump *d, const struct descriptor *f, const RegFileEntry *reg,
               struct error *err)
{
    struct ghost *g = find_ghost(d, f);
    if (!g) {
        g = add_ghost(d, f);
        if (f->st.st_nlink > 0 && !S_ISDIR(f->st.st_mode)) {
            _cleanup_free_ struct search *s = xcalloc(1, sizeof(*s));
            if (!find_other_name(d, f, s))
                return error_set(err, ENOTSUP,
                                 "%s is %s, which was deleted but has another name that cannot be "
                                 "found in the container: firn cannot save that",
                                 descriptor_name(d, f), f->link);
            g->type = REMAP_TYPE__LINKED;
            g->id = add_linked_file(d, f, s->path);
        }
    }
    add_remap(d, reg->id, g->id, g->type);
    return 0;
}

/* ---- writing ---- */

struct range {
    uint64_t start, size;
};

static int find_data(int fd, uint64_t size, struct range **ret, size_t *count)
{
    size_t room = 0;
    for (off_t at = 0; (uint64_t)at < size;) {
        off_t data = lseek(fd, at, SEEK_DATA), end = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
        if (data < 0 && errno == ENXIO)
            return 0;
        if (end < 0)
            return -errno;
        if ((uint64_t)end > size)
            end = (off_t)size;
        if (data >= end)
            return 0;
        array_reserve(*ret, *count, room);
        (*ret)[(*count)++] = (struct range){(uint64_t)data, (uint64_t)(end - data)};
        at = end;
    }
    return 0;
}

static GhostChunkEntry chunk_of(const struct range *range)
{
    GhostChunkEntry e = GHOST_CHUNK_ENTRY__INIT;
    e.off = range->start;
    e.len = range->size;
    return e;
}

static int write_chunk_head(struct dump *d, const struct range *range, struct error *err)
{
    uint8_t bytes[64];
    GhostChunkEntry e = chunk_of(range);
    size_t size = ghost_chunk_entry__pack(&e, bytes + 4);
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(size >> 8 * i);
    return sink_write(d->sink, bytes, size + 4, err);
}

static int write_chunk(struct dump *d, int fd, const struct range *range, char *buffer,
                       struct error *err)
{
    int r = write_chunk_head(d, range, err);
    for (uint64_t done = 0; r == 0 && done < range->size;) {
        size_t step = range->size - done < CHUNK ? range->size - done : CHUNK;
        ssize_t n = pread(fd, buffer, step, (off_t)(range->start + done));
        if (n < 0)
            return error_errno(err, errno, "cannot read a deleted file");
        memset(buffer + n, 0, step - (size_t)n); /* somebody outside made it shorter */
        r = sink_write(d->sink, buffer, step, err);
        if (r == 0 && dump_cancelled(d, err))
            r = -ECANCELED;
        done += step;
    }
    return r;
}

static int write_content(struct dump *d, const struct ghost *g, struct image_writer *w,
                         struct error *err)
{
    struct range *ranges = NULL;
    size_t count = 0;
    _cleanup_close_ int fd = open(g->place, O_RDONLY | O_CLOEXEC);
    int r = fd < 0 ? -errno : find_data(fd, (uint64_t)g->st.st_size, &ranges, &count);
    if (r < 0)
        error_errno(err, -r, "cannot read a deleted file (%s)", g->place);
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        GhostChunkEntry e = chunk_of(&ranges[i]);
        total += 4 + ghost_chunk_entry__get_packed_size(&e) + ranges[i].size;
    }
    if (r == 0)
        r = image_writer_begin(w, d->sink, total, err);
    _cleanup_free_ char *buffer = xmalloc(CHUNK);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = write_chunk(d, fd, &ranges[i], buffer, err);
    free(ranges);
    return r < 0 ? r : sink_end(d->sink, err);
}

static int write_ghost(struct dump *d, const struct ghost *g, struct error *err)
{
    Timeval access = TIMEVAL__INIT, change = TIMEVAL__INIT;
    access.tv_sec = (uint64_t)g->st.st_atim.tv_sec;
    access.tv_usec = (uint64_t)g->st.st_atim.tv_nsec / 1000;
    change.tv_sec = (uint64_t)g->st.st_mtim.tv_sec;
    change.tv_usec = (uint64_t)g->st.st_mtim.tv_nsec / 1000;
    GhostFileEntry e = GHOST_FILE_ENTRY__INIT;
    e.uid = g->st.st_uid;
    e.gid = g->st.st_gid;
    e.mode = g->st.st_mode;
    e.has_dev = e.has_ino = true;
    e.dev = (uint32_t)g->st.st_dev;
    e.ino = g->st.st_ino;
    e.atim = &access;
    e.mtim = &change;
    bool regular = S_ISREG(g->st.st_mode);
    e.has_chunks = e.chunks = e.has_size = regular;
    e.size = regular ? (uint64_t)g->st.st_size : 0;
    char target[PATH_MAX] = "";
    if (S_ISLNK(g->st.st_mode)) {
        _cleanup_close_ int fd = open(g->place, O_PATH | O_CLOEXEC);
        if (fd < 0 || readlinkat(fd, "", target, sizeof(target) - 1) < 0)
            return error_errno(err, errno, "cannot read a deleted link (%s)", g->place);
        e.symlnk_target = target;
    }
    _cleanup_(image_writer_freep) struct image_writer *w =
        image_writer_new(IMAGE_GHOST_FILE, g->id);
    image_writer_add(w, &e);
    return regular ? write_content(d, g, w, err) : image_writer_put(w, d->sink, err);
}

int ghosts_write_images(struct dump *d, struct error *err)
{
    if (!d->remap_count)
        return 0;
    _cleanup_(image_writer_freep) struct image_writer *w = image_writer_new(IMAGE_REMAP_FPATH, 0);
    for (size_t i = 0; i < d->remap_count; i++)
        image_writer_add(w, d->remaps[i]);
    int r = image_writer_put(w, d->sink, err);
    for (size_t i = 0; r == 0 && i < d->ghost_count; i++)
        if (d->ghosts[i].type == REMAP_TYPE__GHOST)
            r = write_ghost(d, &d->ghosts[i], err);
    return r;
}
