#include "execution/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/userns.h"
#include "container/firn.h"

static char *store_directory(const struct execution *e)
{
    return path_join(e->policy.store, e->id);
}

char *place_checkpoint(const struct execution *e)
{
    return xasprintf("%s/%s/checkpoint-%s.tar.gz", e->policy.store, e->id, e->id);
}

char *place_run(const struct execution *e, const char *name)
{
    return xasprintf("%s/executions/%s%s%s", e->firn->runroot, e->id, *name ? "/" : "", name);
}

/* Whoever may rename one of the directories on the way decides what we write, and what we bring
 * back. Where everybody may make directories, as in /tmp, what is there has to be ours. Owners that
 * a user namespace does not know look all the same: only the first rule counts there. */
static bool can_be_trusted(const struct stat *st, const struct stat *above)
{
    bool ours = st->st_uid == geteuid();
    bool open_to_all = st->st_mode & 0022;
    if (above && above->st_mode & 0022)
        return ours && !open_to_all;
    return (!open_to_all || st->st_mode & S_ISVTX) &&
           (ours || st->st_uid == 0 || !userns_is_host_root());
}

static int check_trusted(const char *path, struct error *err)
{
    struct stat above, st;
    _cleanup_strv_ char **parts = strv_split(path, '/');
    _cleanup_buf_ struct buf at = {0};
    bool first = true;
    STRV_FOREACH(part, parts)
    {
        if (!**part && !first)
            continue;
        buf_printf(&at, "%s%s", at.size == 1 && at.data[0] == '/' ? "" : "/", *part);
        if (lstat(at.data, &st) < 0)
            return error_errno(err, errno, "cannot look at %s", at.data);
        if (!S_ISDIR(st.st_mode) || !can_be_trusted(&st, first ? NULL : &above))
            return error_kind_set(err, ERROR_USAGE,
                                  "checkpoints are not kept in %s: %s is not a directory that only "
                                  "we may write to (choose another --store)",
                                  path, at.data);
        above = st;
        first = false;
    }
    return st.st_uid == geteuid() && !(st.st_mode & 0022)
               ? 0
               : error_kind_set(err, ERROR_USAGE,
                                "checkpoints are not kept in %s: it is not a directory that only "
                                "we may write to (choose another --store)",
                                path);
}

int place_make_store(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *directory = store_directory(e);
    int r = mkdir_parents(directory, 0700, err);
    return r < 0 ? r : check_trusted(directory, err);
}

/* The worker's user may be anybody: what keeps others out are the directories above. */
int place_make_run(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *directory = place_run(e, ""), *api = place_run(e, "api");
    int r = mkdir_parents(directory, 0700, err);
    if (r >= 0 && mkdir(api, 0755) < 0 && errno != EEXIST)
        r = error_errno(err, errno, "cannot create %s", api);
    if (r >= 0 && chmod(api, 0755) < 0)
        r = error_errno(err, errno, "cannot open %s to the worker", api);
    return r < 0 ? r : 0;
}

int place_remove(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *directory = store_directory(e), *run = place_run(e, "");
    int r = remove_tree(run, err);
    return r < 0 ? r : remove_tree(directory, err);
}

bool place_lock_holds(const struct execution *e, int lock)
{
    struct stat ours, there;
    _cleanup_free_ char *path = place_run(e, "lock");
    return fstat(lock, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
           ours.st_dev == there.st_dev;
}

/* The file may be removed between our opening and our locking it: then it is nobody's lock. */
static int try_lock(const char *path, struct error *err)
{
    struct stat ours, there;
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == ENOENT ? -ESTALE : error_errno(err, errno, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EWOULDBLOCK
                                    : error_errno(err, errno, "cannot lock %s", path);
    if (fstat(fd, &ours) < 0 || stat(path, &there) < 0 || ours.st_ino != there.st_ino)
        return -ESTALE;
    return take_fd(fd);
}

int place_lock(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *path = place_run(e, "lock");
    int r;
    do {
        r = place_make_run(e, err);
        if (r == 0)
            r = try_lock(path, err);
    } while (r == -ESTALE);
    return r;
}

int place_lock_known(const struct execution *e)
{
    _cleanup_free_ char *path = place_run(e, "lock");
    return path_exists(path) ? try_lock(path, NULL) : -ENOENT;
}

void place_remove_run(const struct execution *e)
{
    _cleanup_free_ char *run = place_run(e, "");
    remove_tree(run, NULL);
}
