#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "format/unpack.h"
#include "store/rootfs-diff.h"

static bool name_is_plain(const char *name)
{
    return *name && !string_equal(name, ".") && !string_equal(name, "..") &&
           strlen(name) <= NAME_MAX;
}

/* The parent is looked up with the container's root as "/", so links in it stay inside; the last
 * part is removed as it is, never followed. */
static int remove_path(int root, const char *path, struct error *err)
{
    _cleanup_free_ char *copy = xstrdup(path);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    char *name = strrchr(copy, '/');
    if (*path != '/' || !name || !name_is_plain(name + 1) || n >= PATH_MAX)
        return error_set(err, EINVAL, "the list of deleted files has a bad path: \"%s\"", path);
    *name++ = '\0';
    _cleanup_close_ int parent = open_in_root(root, *copy ? copy : "/", O_PATH | O_DIRECTORY, 0);
    if (parent == -ENOENT || parent == -ENOTDIR)
        return 0;
    if (parent < 0)
        return error_errno(err, -parent, "cannot delete %s in the container", path);
    _cleanup_free_ char *victim = xasprintf("/proc/self/fd/%d/%s", parent, name);
    int r = remove_tree(victim, err);
    return r < 0 ? error_wrap(err, "cannot delete %s in the container", path) : 0;
}

int rootfs_diff_apply(const char *merged, struct tar_reader *tar, char *const *deleted,
                      struct error *err)
{
    _cleanup_close_ int root = open(merged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, errno, "cannot open %s", merged);
    STRV_FOREACH(path, deleted)
    {
        int r = remove_path(root, *path, err);
        if (r < 0)
            return r;
    }
    struct unpack_options options = {0};
    return tar ? unpack_tar(tar, root, &options, NULL, err) : 0;
}
