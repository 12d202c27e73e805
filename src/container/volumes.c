#include "container/volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/firn.h"
#include "store/volume.h"

static int make_volume(struct container *c, const struct json *entry, struct volume **ret,
                       struct error *err)
{
    struct volume_options o = {
        .name = js_get_string(entry, "volumeName"),
        .anonymous = js_get_bool(entry, "setAnonymous", false),
        .ignore_existing = true,
    };
    return volume_create(c->firn->store, &o, ret, err);
}

int volumes_attach(struct container *c, struct error *err)
{
    const struct json *list = js_get(c->config, "namedVolumes");
    JSON_FOREACH(list, i)
    {
        _cleanup_volume_ struct volume *v = NULL;
        int r = make_volume(c, js_at(list, i), &v, err);
        if (r == 0)
            r = volume_attach(c->firn->store, v->name, c->id, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_empty(const char *path)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            return false;
    return dir;
}

/* The volume takes owner and mode of the directory it covers, then its content. */
static int copy_up(int source, const char *target, struct error *err)
{
    struct stat st;
    if (fstat(source, &st) < 0 || !S_ISDIR(st.st_mode))
        return 0;
    if (chown(target, st.st_uid, st.st_gid) < 0 || chmod(target, st.st_mode & 07777) < 0)
        return error_errno(err, errno, "cannot set the owner of %s", target);
    _cleanup_free_ char *from = xasprintf("/proc/%d/fd/%d/.", (int)getpid(), source);
    if (is_empty(from))
        return 0;
    char *const argv[] = {(char *)"cp", (char *)"-a", (char *)"--", from, (char *)target, NULL};
    _cleanup_buf_ struct buf output = {0};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stderr_to = &output;
    int r = spawn_run(&s, err);
    if (r <= 0)
        return r;
    buf_trim(&output);
    return error_set(err, EIO, "cannot copy the image's content to volume %s: %s", target,
                     output.data ? output.data : "cp failed");
}

static int fill_volume(struct container *c, struct volume *v, const struct json *entry, int root,
                       struct error *err)
{
    _cleanup_strv_ char **options = js_get_strings(entry, "options");
    if (!v->needs_copy_up || strv_contains(options, "nocopy"))
        return 0;
    if (is_empty(v->mountpoint)) {
        _cleanup_close_ int source =
            open_in_root(root, js_get_string(entry, "dest"), O_RDONLY | O_DIRECTORY, 0);
        int r = source < 0 ? 0 : copy_up(source, v->mountpoint, err);
        if (r < 0)
            return r;
    }
    return volume_copied_up(c->firn->store, v->name, err);
}

int volumes_prepare(struct container *c, struct error *err)
{
    const struct json *list = js_get(c->config, "namedVolumes");
    if (!js_count(list))
        return 0;
    _cleanup_free_ char *merged = container_path(c, "merged");
    _cleanup_close_ int root = open(merged, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(err, errno, "cannot open %s", merged);
    JSON_FOREACH(list, i)
    {
        _cleanup_volume_ struct volume *v = NULL;
        int r = make_volume(c, js_at(list, i), &v, err);
        if (r == 0)
            r = volume_attach(c->firn->store, v->name, c->id, err);
        if (r == 0)
            r = fill_volume(c, v, js_at(list, i), root, err);
        if (r < 0)
            return r;
    }
    return 0;
}
