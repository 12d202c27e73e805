#include "store/fuse-overlayfs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"

#define NOTE "fuse-overlayfs" /* beside the upper directory */

/* Commas and colons separate. */
static void add_path(struct buf *b, const char *path)
{
    for (; *path; path++) {
        if (strchr(",:\\", *path))
            buf_add_char(b, '\\');
        buf_add_char(b, *path);
    }
}

static char *make_options(const struct overlay *o)
{
    struct buf b = {0};
    buf_add_string(&b, "lowerdir=");
    for (size_t i = strv_length(o->layers); i > 0; i--) {
        add_path(&b, o->layers[i - 1]);
        buf_add_string(&b, i > 1 ? ":" : "");
    }
    if (o->upper) {
        buf_add_string(&b, ",upperdir=");
        add_path(&b, o->upper);
        buf_add_string(&b, ",workdir=");
        add_path(&b, o->work);
    }
    return buf_take(&b);
}

static char *note_path(const char *upper)
{
    return xasprintf("%.*s/" NOTE, (int)(strrchr(upper, '/') - upper), upper);
}

static int leave_note(const char *upper, struct error *err)
{
    _cleanup_free_ char *path = note_path(upper);
    return path_exists(path) ? 0 : file_write_atomic(path, "", 0, 0600, false, err);
}

int fuse_overlayfs_mount(const struct overlay *o, struct error *err)
{
    _cleanup_free_ char *program = find_program("fuse-overlayfs"), *options = make_options(o);
    _cleanup_free_ char *log = xasprintf("%s.log", o->merged);
    if (!program)
        return error_set(err, ENOENT, "fuse-overlayfs could do it: install that package");
    int r = o->upper ? leave_note(o->upper, err) : 0;
    /* A file, since what stays in the background would keep a pipe open. */
    _cleanup_close_ int said = open(log, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (r < 0 || said < 0)
        return r < 0 ? r : error_errno(err, errno, "cannot create %s", log);
    char *argv[] = {program, (char *)"-o", options, (char *)o->merged, NULL};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stderr_fd = said;
    r = spawn_run(&s, err);
    _cleanup_buf_ struct buf text = {0};
    file_read(log, &text, NULL);
    unlink(log);
    buf_trim(&text);
    if (r > 0)
        return error_set(err, EIO, "fuse-overlayfs cannot do it either: %s",
                         text.size ? text.data : "it said nothing");
    return r;
}

bool fuse_overlayfs_made(const char *upper)
{
    _cleanup_free_ char *path = note_path(upper);
    return path_exists(path);
}

bool fuse_overlayfs_made_at(int upper_fd)
{
    return faccessat(upper_fd, "../" NOTE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool fuse_overlayfs_is_mark(const char *name, const char **ret_hides)
{
    const char *rest = string_after(name, ".wh.");
    *ret_hides = rest && !string_starts(rest, ".wh.") && strcmp(rest, ".opq") != 0 ? rest : NULL;
    return rest;
}

bool fuse_overlayfs_is_opaque(int dirfd)
{
    char value;
    return faccessat(dirfd, ".wh..wh..opq", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
           (fgetxattr(dirfd, "user.fuseoverlayfs.opaque", &value, 1) == 1 && value == 'y');
}
