#include "container/delegation.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/cgroup.h"

#define ROOT "/sys/fs/cgroup"

/* ---- finding ---- */

static char *file_of(const char *root, const char *group, const char *name)
{
    return xasprintf("%s%s/%s", root, strcmp(group, "/") == 0 ? "" : group, name);
}

static bool is_his(const char *root, const char *group, uid_t uid)
{
    static const char *const files[] = {"", "cgroup.procs", "cgroup.subtree_control"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct stat st;
        _cleanup_free_ char *path = file_of(root, group, files[i]);
        if (stat(path, &st) < 0 || st.st_uid != uid || !(st.st_mode & S_IWUSR))
            return false;
    }
    return true;
}

static char *read_words(const char *root, const char *group, const char *name)
{
    _cleanup_free_ char *path = file_of(root, group, name);
    struct buf b = {0};
    if (file_read(path, &b, NULL) < 0) {
        buf_free(&b);
        return xstrdup("");
    }
    buf_trim(&b);
    return buf_take(&b);
}

static bool has_processes(const char *root, const char *group)
{
    _cleanup_free_ char *text = read_words(root, group, "cgroup.procs");
    return *text;
}

static char *parent_of(const char *group)
{
    const char *slash = strrchr(group, '/');
    if (strcmp(group, "/") == 0)
        return NULL;
    return slash == group ? xstrdup("/") : xstrndup(group, (size_t)(slash - group));
}

static char **controllers_of(const char *root, const char *group, bool busy)
{
    _cleanup_free_ char *text =
        read_words(root, group, busy ? "cgroup.subtree_control" : "cgroup.controllers");
    return *text ? strv_split(text, ' ') : NULL;
}

bool delegation_find(const char *root, const char *own, uid_t uid, struct delegation *ret)
{
    _cleanup_free_ char *group = xstrdup(own), *his = NULL, *free_one = NULL;
    while (group && is_his(root, group, uid)) {
        free(his);
        his = xstrdup(group);
        if (!has_processes(root, group)) {
            free(free_one);
            free_one = xstrdup(group);
        }
        char *parent = parent_of(group);
        free(group);
        group = parent;
    }
    bool busy = !free_one;
    ret->path = busy ? take_ptr(his) : take_ptr(free_one);
    if (!ret->path)
        return false;
    ret->controllers = controllers_of(root, ret->path, busy);
    return true;
}

bool delegation_here(struct delegation *ret)
{
    _cleanup_buf_ struct buf b = {0};
    *ret = (struct delegation){0};
    if (cgroup_mode() != CGROUP_V2 || file_read("/proc/self/cgroup", &b, NULL) < 0 || !b.data)
        return false;
    buf_trim(&b);
    const char *own = strstr(b.data, "0::/");
    if (!own)
        return false;
    _cleanup_free_ char *group = xstrndup(own + 3, strcspn(own + 3, "\n"));
    return delegation_find(ROOT, group, geteuid(), ret);
}

void delegation_clear(struct delegation *d)
{
    free(d->path);
    strv_free(d->controllers);
    *d = (struct delegation){0};
}

/* ---- fitting ---- */

char **delegation_fit(struct json *resources, char *const *controllers)
{
    static const struct {
        const char *part, *key; /* of linux.resources; key NULL: all of the part */
        const char *controller; /* NULL: never an ordinary user's */
    } limits[] = {
        {"memory", NULL, "memory"}, {"cpu", "shares", "cpu"},  {"cpu", "quota", "cpu"},
        {"cpu", "period", "cpu"},   {"cpu", "cpus", "cpuset"}, {"cpu", "mems", "cpuset"},
        {"pids", NULL, "pids"},     {"blockIO", NULL, "io"},   {"devices", NULL, NULL},
    };
    char **missing = NULL;
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        struct json *part = js_get(resources, limits[i].part);
        bool wanted = limits[i].key ? js_get(part, limits[i].key) : part;
        const char *controller = limits[i].controller;
        if (!wanted || (controller && strv_contains(controllers, controller)))
            continue;
        if (controller && !strv_contains(missing, controller))
            strv_add(&missing, controller);
        js_remove(limits[i].key ? part : resources, limits[i].key ? limits[i].key : limits[i].part);
    }
    return missing;
}
