#include "engine/inode-search.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"

/* A container that has more is not searched to the end. */
#define ENTRIES_MAX 2000000

#define HANDLE_FID 0x200 /* AT_HANDLE_FID (6.5): a handle to compare, not to open */

/* A mount of the container that is being searched. */
struct search {
    struct dump *d;
    struct sought_inode **all; /* sorted by inode number */
    size_t count, missing;
    uint32_t dev;
    const char *mount_point;
    int root;
    dev_t st_dev;
    bool thorough; /* numbers in directories are not trusted */
    char **queue;  /* directories below the root, still to be read */
    size_t queue_begin, queue_count, queue_room;
    size_t entries;
};

static uint32_t kernel_dev(dev_t dev)
{
    return (uint32_t)(major(dev) << 20 | minor(dev));
}

union handle {
    struct file_handle head;
    char room[sizeof(struct file_handle) + SOUGHT_HANDLE_MAX];
};

/* Whether the file at this place is the one. Without handles, numbers have to do. */
static bool is_it(const struct sought_inode *s, int dirfd, const char *name)
{
    union handle h;
    int mount_id, flags = *name ? 0 : AT_EMPTY_PATH;
    h.head.handle_bytes = SOUGHT_HANDLE_MAX;
    int r = name_to_handle_at(dirfd, name, &h.head, &mount_id, flags | HANDLE_FID);
    if (r < 0 && errno == EINVAL)
        r = name_to_handle_at(dirfd, name, &h.head, &mount_id, flags);
    if (r == 0 && s->handle_bytes)
        return h.head.handle_bytes == s->handle_bytes && h.head.handle_type == s->handle_type &&
               memcmp(h.head.f_handle, s->handle, s->handle_bytes) == 0;
    struct stat st;
    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH)) == 0 &&
           st.st_ino == s->ino && kernel_dev(st.st_dev) == s->dev;
}

static void found(struct search *x, struct sought_inode *s, const char *below)
{
    const char *slash = !*below || string_ends(x->mount_point, "/") ? "" : "/";
    s->path = arena_printf(x->d->arena, "%s%s%s", x->mount_point, slash, below);
    x->missing--;
}

static int compare_inodes(const void *a, const void *b)
{
    uint64_t x = (*(struct sought_inode *const *)a)->ino,
             y = (*(struct sought_inode *const *)b)->ino;
    return x < y ? -1 : x > y;
}

/* The first that has this number, or where it would be. */
static size_t first_of(const struct search *x, uint64_t ino)
{
    size_t low = 0, high = x->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (x->all[middle]->ino < ino)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void look_at(struct search *x, int dirfd, const char *name, uint64_t ino, const char *below)
{
    for (size_t i = x->thorough ? 0 : first_of(x, ino); i < x->count; i++) {
        struct sought_inode *s = x->all[i];
        if (!x->thorough && s->ino != ino)
            return;
        if (!s->path && s->dev == x->dev && is_it(s, dirfd, name))
            found(x, s, below);
    }
}

static void read_directory(struct search *x, const char *below)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(x->root, *below ? below : ".", flags | O_NOATIME);
    if (fd < 0 && errno == EPERM)
        fd = openat(x->root, *below ? below : ".", flags);
    struct stat st;
    _cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir || fstat(fd, &st) < 0 || st.st_dev != x->st_dev)
        return;
    for (struct dirent *e; x->missing && x->entries < ENTRIES_MAX && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        _cleanup_free_ char *path = xasprintf("%s%s%s", below, *below ? "/" : "", e->d_name);
        x->entries++;
        look_at(x, fd, e->d_name, e->d_ino, path);
        if (e->d_type == DT_DIR) {
            array_reserve(x->queue, x->queue_count, x->queue_room);
            x->queue[x->queue_count++] = take_ptr(path);
        }
    }
}

/* Level by level: what is watched is rarely deep. */
static void walk(struct search *x)
{
    struct stat st;
    if (fstat(x->root, &st) < 0)
        return;
    x->st_dev = st.st_dev;
    look_at(x, x->root, "", st.st_ino, "");
    if (S_ISDIR(st.st_mode))
        read_directory(x, "");
    for (; x->queue_begin < x->queue_count; x->queue_begin++) {
        if (x->missing)
            read_directory(x, x->queue[x->queue_begin]);
        free(x->queue[x->queue_begin]);
    }
    free(x->queue);
    x->queue = NULL;
    x->queue_begin = x->queue_count = x->queue_room = 0;
}

/* The kernel knows a path if it has the file in its cache, which it has: somebody watches it. */
static void ask_kernel(struct search *x, struct sought_inode *s)
{
    union handle h;
    h.head.handle_bytes = s->handle_bytes;
    h.head.handle_type = s->handle_type;
    memcpy(h.head.f_handle, s->handle, s->handle_bytes);
    _cleanup_close_ int fd = open_by_handle_at(x->root, &h.head, O_PATH | O_CLOEXEC);
    char link[64], path[4096];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = fd < 0 ? -1 : readlink(link, path, sizeof(path) - 1);
    if (n <= 0 || path[0] != '/')
        return;
    path[n] = '\0';
    _cleanup_close_ int again = open_in_root(x->d->root_fd, path, O_PATH | O_NOFOLLOW, 0);
    if (again >= 0 && is_it(s, again, "")) {
        s->path = arena_strdup(x->d->arena, path);
        x->missing--;
    }
}

static size_t count_missing(const struct search *x)
{
    size_t n = 0;
    for (size_t i = 0; i < x->count; i++)
        n += !x->all[i]->path && x->all[i]->dev == x->dev;
    return n;
}

static void search_mount(struct search *x)
{
    x->missing = count_missing(x);
    if (!x->missing)
        return;
    _cleanup_close_ int fd = open_in_root(x->d->root_fd, x->mount_point, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) /* a mounted file */
        fd = open_in_root(x->d->root_fd, x->mount_point, O_PATH, 0);
    x->root = fd;
    if (fd < 0)
        return;
    for (size_t i = 0; i < x->count && !x->thorough; i++)
        if (!x->all[i]->path && x->all[i]->dev == x->dev && x->all[i]->handle_bytes)
            ask_kernel(x, x->all[i]);
    if (x->missing)
        walk(x);
}

/* "\040" is a blank. */
static void unescape(char *s)
{
    char *to = s;
    for (const char *from = s; *from; to++) {
        if (from[0] == '\\' && from[1] && from[2] && from[3]) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime ..." */
static void search_mounts(struct search *x, char *mountinfo)
{
    char *state = NULL;
    for (char *line = strtok_r(mountinfo, "\n", &state); line;
         line = strtok_r(NULL, "\n", &state)) {
        unsigned major_number, minor_number;
        int at = 0;
        if (sscanf(line, "%*d %*d %u:%u %*s %n", &major_number, &minor_number, &at) != 2 || !at)
            continue;
        char *mount_point = line + at;
        mount_point[strcspn(mount_point, " ")] = '\0';
        unescape(mount_point);
        x->mount_point = mount_point;
        x->dev = major_number << 20 | minor_number;
        search_mount(x);
    }
}

void inode_search(struct dump *d, struct sought_inode **all, size_t count)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mountinfo", d->options.init);
    qsort(all, count, sizeof(*all), compare_inodes);
    for (int thorough = 0; thorough <= 1; thorough++) {
        struct search x = {.d = d, .all = all, .count = count, .thorough = thorough, .root = -1};
        _cleanup_buf_ struct buf text = {0};
        if (file_read(path, &text, NULL) == 0 && text.data)
            search_mounts(&x, text.data);
    }
}
