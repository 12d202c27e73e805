#include "container/device.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "container/draft.h"

static struct json *list_at(struct json *parent, const char *key)
{
    if (!js_get(parent, key))
        js_set(parent, key, js_array());
    return js_get(parent, key);
}

static const char *type_of(const struct stat *st)
{
    return S_ISBLK(st->st_mode) ? "b" : "c";
}

static void add_node(struct json *spec, const struct stat *st, const char *target)
{
    struct json *o = js_object();
    js_set(o, "path", js_string(target));
    js_set(o, "type", js_string(type_of(st)));
    js_set(o, "major", js_int(major(st->st_rdev)));
    js_set(o, "minor", js_int(minor(st->st_rdev)));
    js_set(o, "fileMode", js_int(st->st_mode & 07777));
    js_set(o, "uid", js_int(st->st_uid));
    js_set(o, "gid", js_int(st->st_gid));
    js_push(list_at(draft_object(spec, "linux"), "devices"), o);
}

static void add_rule(struct json *spec, const struct stat *st, const char *access)
{
    struct json *o = js_object();
    js_set(o, "allow", js_bool(true));
    js_set(o, "type", js_string(type_of(st)));
    js_set(o, "major", js_int(major(st->st_rdev)));
    js_set(o, "minor", js_int(minor(st->st_rdev)));
    js_set(o, "access", js_string(access));
    js_push(list_at(draft_object(draft_object(spec, "linux"), "resources"), "devices"), o);
}

/* What a container gets fresh, or what is no node of its own. */
static bool skipped(const char *name)
{
    static const char *const names[] = {
        ".",     "..",   "pts", "shm",  "fd",   "mqueue", "console", ".lxc",   ".lxd-mounts",
        ".udev", "ptmx", "tty", "null", "zero", "full",   "random",  "urandom"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static int add_directory(struct json *spec, const char *path, const char *target,
                         const char *access, bool all, struct error *err)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    if (!dir)
        return error_errno(err, errno, "cannot read %s", path);
    for (struct dirent *e; (e = readdir(dir));) {
        if (skipped(e->d_name))
            continue;
        _cleanup_free_ char *sub = path_join(path, e->d_name);
        _cleanup_free_ char *sub_target = path_join(target, e->d_name);
        struct stat st;
        if (lstat(sub, &st) < 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            int r = add_directory(spec, sub, sub_target, access, all, err);
            if (r < 0)
                return r;
        } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
            add_node(spec, &st, sub_target);
            if (!all)
                add_rule(spec, &st, access);
        }
    }
    return 0;
}

int device_add(struct json *spec, const char *path, const char *target, const char *access,
               struct error *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return error_errno(err, errno, "stat %s", path);
    if (S_ISDIR(st.st_mode))
        return add_directory(spec, path, target, access, false, err);
    if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
        return error_kind_set(err, ERROR_USAGE, "%s is not a valid device", path);
    add_node(spec, &st, target);
    add_rule(spec, &st, access);
    return 0;
}

int device_add_all(struct json *spec, struct error *err)
{
    struct json *rules = list_at(draft_object(draft_object(spec, "linux"), "resources"), "devices");
    struct json *o = js_object();
    js_set(o, "allow", js_bool(true));
    js_set(o, "access", js_string("rwm"));
    js_push(rules, o);
    return add_directory(spec, "/dev", "/dev", "rwm", true, err);
}
