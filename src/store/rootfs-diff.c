#include "store/rootfs-diff.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "store/fuse-overlayfs.h"
#include "store/overlay.h"

/* One comparison. Directories of layers are named by path: only fds of the upper directory are
 * kept open while descending, whatever the number of layers. */
struct comparison {
    const char *opaque_xattr;
    bool fuse; /* the upper layer was written by fuse-overlayfs */
    struct changes *changes;
    struct error *err;
};

/* A directory of the upper layer, and the layers that have a directory below it there. */
struct place {
    int fd;           /* in the upper layer */
    const char *path; /* in the container, "" for the root */
    char **below;     /* directories, top first: what a container without this upper layer sees */
    bool opaque;      /* the upper layer hides them */
};

void changes_free(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->items[i].path);
    free(c->items);
}

static void add_change(struct comparison *c, const char *path, enum change_kind kind, mode_t mode)
{
    struct changes *all = c->changes;
    array_reserve(all->items, all->count, all->room);
    all->items[all->count++] = (struct change){.path = xstrdup(path), .kind = kind, .mode = mode};
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static bool is_opaque(const struct comparison *c, const char *path)
{
    char value;
    return lgetxattr(path, c->opaque_xattr, &value, 1) == 1 && value == 'y';
}

static bool is_opaque_fd(const struct comparison *c, int fd)
{
    char value;
    if (c->fuse && fuse_overlayfs_is_opaque(fd))
        return true;
    return fgetxattr(fd, c->opaque_xattr, &value, 1) == 1 && value == 'y';
}

/* What the layers below show under `name`: its mode, 0 for nothing. When it is a directory,
 * *ret_dirs are the directories that make it up. */
static mode_t look_below(const struct comparison *c, char *const *below, const char *name,
                         char ***ret_dirs)
{
    mode_t mode = 0;
    STRV_FOREACH(layer, below)
    {
        _cleanup_free_ char *path = path_join(*layer, name);
        struct stat st;
        if (lstat(path, &st) < 0)
            continue;
        if (is_whiteout(&st) || (mode && !S_ISDIR(st.st_mode)))
            break;
        mode = mode ? mode : st.st_mode;
        if (!S_ISDIR(st.st_mode))
            break;
        if (ret_dirs)
            strv_add(ret_dirs, path);
        if (is_opaque(c, path))
            break;
    }
    return mode;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the names in a directory; the directory stream takes the descriptor over. */
static int add_names(int fd, const char *path, char ***names, struct error *err)
{
    _cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return error_errno(err, errno, "cannot read directory %s", path);
    errno = 0;
    for (struct dirent *e; (e = readdir(dir));)
        if (!string_equal(e->d_name, ".") && !string_equal(e->d_name, ".."))
            strv_add(names, e->d_name);
    return errno ? error_errno(err, errno, "cannot read directory %s", path) : 0;
}

static void sort_names(char **names)
{
    if (names)
        qsort(names, strv_length(names), sizeof(char *), compare_names);
}

static bool has_name(char **names, size_t count, const char *name)
{
    return count && bsearch(&name, names, count, sizeof(char *), compare_names);
}

/* What an opaque directory hides. */
static int hidden(struct comparison *c, const struct place *p, char **present)
{
    _cleanup_strv_ char **names = NULL;
    STRV_FOREACH(layer, p->below)
    {
        int fd = open(*layer, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = add_names(fd, *layer, &names, c->err);
        if (r < 0)
            return r;
    }
    sort_names(names);
    size_t count = strv_length(present);
    const char *last = NULL;
    STRV_FOREACH(name, names)
    {
        if (string_equal(*name, last) || has_name(present, count, *name))
            continue;
        last = *name;
        mode_t mode = look_below(c, p->below, *name, NULL);
        _cleanup_free_ char *path = xasprintf("%s/%s", p->path, *name);
        if (mode)
            add_change(c, path, CHANGE_DELETED, mode);
    }
    return 0;
}

static int compare_directory(struct comparison *c, const struct place *p);

static int descend(struct comparison *c, const struct place *p, const char *name, const char *path,
                   char **below)
{
    _cleanup_close_ int fd = openat(p->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) /* of a container that runs */
        return 0;
    if (fd < 0)
        return error_errno(c->err, errno, "cannot open %s of the container", path);
    struct place child = {
        .fd = fd, .path = path, .below = below, .opaque = p->opaque || is_opaque_fd(c, fd)};
    return compare_directory(c, &child);
}

static void add_deleted(struct comparison *c, const struct place *p, const char *name)
{
    mode_t was = look_below(c, p->below, name, NULL);
    _cleanup_free_ char *path = xasprintf("%s/%s", p->path, name);
    if (was)
        add_change(c, path, CHANGE_DELETED, was);
}

static int compare_entry(struct comparison *c, const struct place *p, const char *name)
{
    struct stat st;
    const char *hides = NULL;
    if (c->fuse && fuse_overlayfs_is_mark(name, &hides)) {
        if (hides && !p->opaque)
            add_deleted(c, p, hides);
        return 0;
    }
    if (fstatat(p->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_errno(c->err, errno, "cannot look at %s", name);
    _cleanup_strv_ char **below = NULL;
    mode_t was = look_below(c, p->below, name, &below);
    _cleanup_free_ char *path = xasprintf("%s/%s", p->path, name);
    if (is_whiteout(&st)) {
        if (was)
            add_change(c, path, CHANGE_DELETED, was);
        return 0;
    }
    add_change(c, path, was ? CHANGE_MODIFIED : CHANGE_ADDED, st.st_mode);
    return S_ISDIR(st.st_mode) ? descend(c, p, name, path, below) : 0;
}

static int compare_directory(struct comparison *c, const struct place *p)
{
    _cleanup_strv_ char **names = NULL;
    int fd = openat(p->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = add_names(fd, p->path, &names, c->err);
    sort_names(names);
    STRV_FOREACH(name, names)
    if (r >= 0)
        r = compare_entry(c, p, *name);
    return r >= 0 && p->opaque ? hidden(c, p, names) : r;
}

/* As if "/" came before every other character: what is in a directory follows it. */
static int compare_paths(const void *a, const void *b)
{
    const unsigned char *x = (const unsigned char *)((const struct change *)a)->path;
    const unsigned char *y = (const unsigned char *)((const struct change *)b)->path;
    while (*x && *x == *y)
        x++, y++;
    int left = *x == '/' ? 1 : *x + (*x > 0), right = *y == '/' ? 1 : *y + (*y > 0);
    return left - right;
}

int rootfs_diff_find(const char *upper, char *const *layers, bool userxattr, struct changes *ret,
                     struct error *err)
{
    _cleanup_changes_ struct changes found = {0};
    _cleanup_strv_ char **below = NULL;
    for (size_t i = strv_length(layers); i > 0; i--)
        strv_add(&below, layers[i - 1]);
    struct comparison c = {
        .opaque_xattr = userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque",
        .fuse = fuse_overlayfs_made(upper),
        .changes = &found,
        .err = err,
    };
    _cleanup_close_ int fd = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", upper);
    struct place root = {.fd = fd, .path = "", .below = below, .opaque = is_opaque_fd(&c, fd)};
    int r = compare_directory(&c, &root);
    if (r < 0)
        return r;
    if (found.count)
        qsort(found.items, found.count, sizeof(*found.items), compare_paths);
    *ret = found;
    found = (struct changes){0};
    return 0;
}

int rootfs_diff_container(struct store *s, const char *container_id, const char *image_id,
                          struct changes *ret, struct error *err)
{
    _cleanup_free_ char *upper = store_path(s, "containers/%s/upper", container_id);
    _cleanup_strv_ char **layers = NULL;
    int r = overlay_container_layers(s, image_id, &layers, err);
    return r < 0 ? r : rootfs_diff_find(upper, layers, s->rootless, ret, err);
}

static bool is_skipped(const char *path, char *const *skip)
{
    STRV_FOREACH(prefix, skip)
    {
        const char *rest = string_after(path, *prefix);
        if (rest && (*rest == '\0' || *rest == '/'))
            return true;
    }
    return false;
}

struct choice {
    char *const *skip;
    bool fuse;
};

static enum pack_verdict choose(void *context, const char *path, const struct stat *st,
                                struct tar_entry *e)
{
    const struct choice *choice = context;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *ignored;
    _cleanup_free_ char *absolute = xasprintf("/%s", path);
    bool skip = is_whiteout(st) || is_skipped(absolute, choice->skip) ||
                (choice->fuse && fuse_overlayfs_is_mark(name, &ignored));
    return skip ? PACK_SKIP : PACK_TAKE;
}

int rootfs_diff_pack(int upper_fd, char *const *skip, struct pack **ret, struct error *err)
{
    struct choice choice = {.skip = skip, .fuse = fuse_overlayfs_made_at(upper_fd)};
    struct pack_options options = {
        .flags = PACK_NO_OVERLAY_XATTRS | PACK_ROOT,
        .filter = choose,
        .context = &choice,
    };
    return pack_scan(upper_fd, &options, ret, err);
}

char **rootfs_diff_deleted(const struct changes *c, char *const *skip)
{
    char **list = xcalloc(1, sizeof(char *));
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].kind == CHANGE_DELETED && !is_skipped(c->items[i].path, skip))
            strv_add(&list, c->items[i].path);
    return list;
}
