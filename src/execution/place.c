#include "execution/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
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

/* In a directory everybody may write to, somebody else may have been there first. */
static int check_ours(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 0022)
        return error_kind_set(err, ERROR_USAGE,
                              "%s is not a directory that only we may write to: checkpoints are "
                              "not kept there (choose another --store)",
                              path);
    return 0;
}

int place_make_store(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *directory = store_directory(e);
    int r = mkdir_parents(directory, 0700, err);
    if (r >= 0)
        r = check_ours(e->policy.store, err);
    return r < 0 ? r : check_ours(directory, err);
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

int place_lock(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *path = place_run(e, "lock");
    int r = place_make_run(e, err);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EWOULDBLOCK
                                    : error_errno(err, errno, "cannot lock %s", path);
    return take_fd(fd);
}
