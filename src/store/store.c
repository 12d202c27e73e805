#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/process.h"
#include "base/userns.h"

static bool is_own_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

static char *home_directory(void)
{
    const char *home = getenv("HOME");
    const struct passwd *pw = home && *home ? NULL : getpwuid(userns_owner());
    return xstrdup(home && *home ? home : pw ? pw->pw_dir : "");
}

static char *default_root(bool rootless)
{
    const char *data = getenv("XDG_DATA_HOME");
    if (!rootless)
        return xstrdup("/var/lib/firn");
    if (data && *data == '/')
        return xasprintf("%s/firn", data);
    _cleanup_free_ char *home = home_directory();
    return xasprintf("%s/.local/share/firn", home);
}

/* One inherited from somebody else, through su or sudo, is not ours. */
static char *default_runroot(bool rootless)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    if (!rootless)
        return xstrdup("/run/firn");
    return run && *run == '/' && is_own_directory(run)
               ? xasprintf("%s/firn", run)
               : xasprintf("/tmp/firn-run-%u", (unsigned)userns_owner());
}

/* What belongs to somebody else is not ours to trust: /tmp is open to all. */
static int check_owner(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return error_errno(err, errno, "cannot use %s", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ENOTDIR, "cannot use %s: it is no directory", path);
    if (st.st_uid != geteuid())
        return error_set(err, EPERM, "cannot use %s: it belongs to uid %u", path,
                         (unsigned)st.st_uid);
    return 0;
}

int store_private_runroot(char **ret, struct error *err)
{
    _cleanup_free_ char *path = default_runroot(true);
    int r = path_exists(path) ? 0 : mkdir_parents(path, 0700, err);
    if (r == 0)
        r = check_owner(path, err);
    if (r == 0 && chmod(path, 0700) < 0)
        r = error_errno(err, errno, "cannot make %s private", path);
    if (r == 0)
        *ret = take_ptr(path);
    return r;
}

static int make_root(char *path, char **ret, struct error *err)
{
    _cleanup_free_ char *given = path;
    int r = path_exists(given) ? 0 : mkdir_parents(given, 0700, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *real = realpath(given, NULL);
    if (!real)
        return error_errno(err, errno, "cannot use %s", given);
    r = check_owner(real, err);
    if (r < 0)
        return r;
    *ret = take_ptr(real);
    return 0;
}

int store_open(const struct store_options *o, struct store **ret, struct error *err)
{
    _cleanup_store_ struct store *s = xcalloc(1, sizeof(*s));
    s->rootless = !userns_is_host_root();
    _cleanup_free_ char *own = NULL;
    int r = s->rootless && !o->runroot ? store_private_runroot(&own, err) : 0;
    if (r == 0)
        r = make_root(o->root ? xstrdup(o->root) : default_root(s->rootless), &s->root, err);
    if (r >= 0)
        r = make_root(o->runroot ? xstrdup(o->runroot) : default_runroot(s->rootless), &s->runroot,
                      err);
    if (r < 0)
        return r;
    _cleanup_free_ char *path = store_path(s, "db.sqlite");
    r = database_open(path, &s->db, err);
    if (r < 0)
        return r;
    *ret = take_ptr(s);
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    database_close(s->db);
    free(s->root);
    free(s->runroot);
    free(s);
}

static char *below(const char *root, const char *format, va_list ap)
{
    _cleanup_free_ char *rest = xvasprintf(format, ap);
    return path_join(root, rest);
}

char *store_path(const struct store *s, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *path = below(s->root, format, ap);
    va_end(ap);
    return path;
}

char *store_run_path(const struct store *s, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *path = below(s->runroot, format, ap);
    va_end(ap);
    return path;
}

char *store_container_dir(const struct store *s, const char *id)
{
    return store_path(s, "containers/%s", id);
}

char *store_container_run_dir(const struct store *s, const char *id)
{
    return store_run_path(s, "containers/%s", id);
}

/* The file may have been removed between open and flock: then the lock is on nothing, again. */
static int lock_file(const char *path, bool wait, struct error *err)
{
    for (;;) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return error_errno(err, errno, "cannot open lock %s", path);
        int r;
        while ((r = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB))) < 0 && errno == EINTR)
            ;
        if (r < 0)
            return error_errno(err, errno, "cannot lock %s", path);
        struct stat ours, there;
        if (fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
            ours.st_dev == there.st_dev)
            return take_fd(fd);
    }
}

int store_lock_container(const struct store *s, const char *id, bool wait, struct error *err)
{
    _cleanup_free_ char *dir = store_run_path(s, "locks");
    _cleanup_free_ char *path = xasprintf("%s/%s.lock", dir, id);
    int r = path_exists(dir) ? 0 : mkdir_parents(dir, 0700, err);
    return r < 0 ? r : lock_file(path, wait, err);
}

void store_forget_lock(const struct store *s, const char *id)
{
    _cleanup_free_ char *path = store_run_path(s, "locks/%s.lock", id);
    unlink(path);
}

static bool maker_is_dead(const char *name)
{
    int pid;
    unsigned long long start;
    if (sscanf(name, "%d.%llu.", &pid, &start) != 2)
        return false;
    return !process_alive(&(struct process){.pid = pid, .start_ticks = start});
}

static void remove_leftovers(const struct store *s)
{
    _cleanup_free_ char *tmp = store_path(s, "tmp");
    _cleanup_closedir_ DIR *dir = opendir(tmp);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        _cleanup_free_ char *path = path_join(tmp, e->d_name);
        if (maker_is_dead(e->d_name))
            remove_tree(path, NULL);
    }
}

int store_lock_images(const struct store *s, struct error *err)
{
    _cleanup_free_ char *path = store_path(s, "images.lock");
    int fd = lock_file(path, true, err);
    if (fd >= 0)
        remove_leftovers(s);
    return fd;
}

int store_temp_dir(const struct store *s, const char *what, char **ret, struct error *err)
{
    struct process self;
    int r = process_identify(getpid(), &self);
    if (r < 0)
        return error_errno(err, -r, "cannot read our own start time");
    remove_leftovers(s);
    for (unsigned n = 0;; n++) {
        _cleanup_free_ char *path = store_path(s, "tmp/%d.%llu.%u.%s", (int)self.pid,
                                               (unsigned long long)self.start_ticks, n, what);
        if (mkdir(path, 0700) == 0) {
            *ret = take_ptr(path);
            return 0;
        }
        int code = errno;
        _cleanup_free_ char *tmp = store_path(s, "tmp");
        r = code == ENOENT ? mkdir_parents(tmp, 0700, err) : 0;
        if (r < 0)
            return r;
        if (code != EEXIST && code != ENOENT)
            return error_errno(err, code, "cannot create %s", path);
    }
}

void store_temp_discard(char **path)
{
    if (*path)
        remove_tree(*path, NULL);
    free(*path);
}
