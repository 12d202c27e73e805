#include "container/cgroup-tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/firn.h"

/* What limits a group, in an order in which one does not forbid the next. */
static const char *const settings[] = {
    /* v2 */
    "cgroup.subtree_control",
    "cpu.weight",
    "cpu.max",
    "memory.low",
    "memory.high",
    "memory.max",
    "memory.swap.max",
    "io.weight",
    /* both */
    "pids.max",
    "cpuset.cpus",
    "cpuset.mems",
    /* v1 */
    "cpu.shares",
    "cpu.cfs_period_us",
    "cpu.cfs_quota_us",
    "memory.soft_limit_in_bytes",
    "memory.limit_in_bytes",
    "memory.memsw.limit_in_bytes",
    "memory.swappiness",
    "blkio.weight",
};

/* ---- reading ---- */

/* In the innermost pid namespace but for processes of namespaces inside, which no checkpoint has.
 */
static pid_t number_inside(pid_t pid)
{
    char path[64], text[8192];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    const char *line =
        file_read_line(path, text, sizeof(text)) < 0 ? NULL : strstr(text, "\nNSpid:");
    if (!line)
        return 0;
    char *end;
    long inside = 0;
    for (const char *at = line + strlen("\nNSpid:"); *at != '\n'; at = end) {
        long number = strtol(at, &end, 10);
        if (end == at)
            break;
        inside = number;
    }
    return (pid_t)inside;
}

static struct json *read_processes(const char *directory)
{
    struct json *list = js_array();
    _cleanup_free_ char *file = path_join(directory, "cgroup.procs");
    _cleanup_buf_ struct buf b = {0};
    if (file_read(file, &b, NULL) < 0 || !b.data)
        return list;
    for (char *at = b.data, *end;; at = end) {
        long pid = strtol(at, &end, 10);
        pid_t inside = end == at ? 0 : number_inside((pid_t)pid);
        if (end == at)
            return list;
        if (inside > 0)
            js_push(list, js_int(inside));
    }
}

/* "cpu memory" is written as "+cpu +memory". */
static char *writable(const char *name, const char *value)
{
    if (strcmp(name, "cgroup.subtree_control") != 0)
        return xstrdup(value);
    _cleanup_strv_ char **words = strv_split(value, ' ');
    struct buf b = {0};
    buf_printf(&b, "%s", "");
    STRV_FOREACH(word, words)
    {
        if (**word)
            buf_printf(&b, "%s+%s", b.size ? " " : "", *word);
    }
    return buf_take(&b);
}

static struct json *read_settings(const char *directory)
{
    struct json *o = js_object();
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        char value[256];
        _cleanup_free_ char *file = path_join(directory, settings[i]);
        if (file_read_line(file, value, sizeof(value)) < 0 || !*value)
            continue;
        _cleanup_free_ char *text = writable(settings[i], value);
        js_set(o, settings[i], js_string(text));
    }
    return o;
}

/* Parents before children. */
static void read_below(struct json *tree, const char *hierarchy, const char *top, const char *path)
{
    _cleanup_free_ char *directory = *path ? path_join(top, path) : xstrdup(top);
    _cleanup_closedir_ DIR *d = opendir(directory);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *below = *path ? path_join(path, e->d_name) : xstrdup(e->d_name);
        _cleanup_free_ char *full = path_join(top, below);
        struct json *o = js_object();
        js_set(o, "hierarchy", js_string(hierarchy));
        js_set(o, "path", js_string(below));
        js_set(o, "settings", read_settings(full));
        js_set(o, "processes", read_processes(full));
        js_push(tree, o);
        read_below(tree, hierarchy, top, below);
    }
}

/* On v2 the container's own group says what those below may limit. */
static struct json *read_top(const char *top)
{
    char value[256] = "";
    _cleanup_free_ char *file = path_join(top, settings[0]);
    file_read_line(file, value, sizeof(value));
    _cleanup_free_ char *text = writable(settings[0], value);
    struct json *o = js_object(), *set = js_object();
    js_set(set, settings[0], js_string(text));
    js_set(o, "hierarchy", js_string(""));
    js_set(o, "path", js_string(""));
    js_set(o, "settings", set);
    js_set(o, "processes", js_array());
    return o;
}

struct json *cgroup_tree_read(const struct container *c)
{
    _cleanup_json_ struct json *tree = js_array();
    _cleanup_strv_ char **hierarchies = cgroup_hierarchies(c);
    STRV_FOREACH(name, hierarchies)
    {
        _cleanup_free_ char *top = cgroup_directory(c, *name);
        if (!top)
            continue;
        _cleanup_json_ struct json *below = js_array();
        read_below(below, *name, top, "");
        if (!**name && js_count(below))
            js_push(tree, read_top(top));
        JSON_FOREACH(below, i)
        js_push(tree, js_ref(js_at(below, i)));
    }
    return js_count(tree) ? js_ref(tree) : NULL;
}

/* ---- making ---- */

static bool is_harmless(const char *path)
{
    _cleanup_strv_ char **parts = strv_split(path, '/');
    STRV_FOREACH(part, parts)
    {
        if (!**part || **part == '.')
            return false;
    }
    return strlen(path) < 1024;
}

static int check_path(const struct json *group, struct error *err)
{
    const char *hierarchy = js_get_string(group, "hierarchy"), *path = js_get_string(group, "path");
    if (!hierarchy || !path || strchr(hierarchy, '/') || hierarchy[0] == '.' ||
        (*path && !is_harmless(path)))
        return error_set(err, EINVAL, "%s of the checkpoint has a wrong path", CGROUP_TREE_FILE);
    return 0;
}

/* The container's own group in the hierarchy it was in. The caller frees; NULL: this host has other
 * ones. */
static char *top_of(const struct container *c, const struct json *group)
{
    const char *hierarchy = js_get_string(group, "hierarchy");
    bool unified = cgroup_mode() == CGROUP_V2;
    return unified == !*hierarchy ? cgroup_directory(c, hierarchy) : NULL;
}

static int locate(const struct container *c, const struct json *group, char **ret,
                  struct error *err)
{
    const char *path = js_get_string(group, "path");
    _cleanup_free_ char *top = top_of(c, group);
    if (!top)
        return 0;
    *ret = *path ? path_join(top, path) : xstrdup(top);
    if (mkdir(*ret, 0755) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot make the control group %s", *ret);
    return 0;
}

/* Checks all of them, and says it if there are some that this host has no place for. */
static int check_tree(const struct container *c, const struct json *tree, struct error *err)
{
    int r = 0;
    bool warned = false;
    for (size_t i = 0; r == 0 && i < js_count(tree); i++) {
        const struct json *group = js_at(tree, i);
        r = check_path(group, err);
        _cleanup_free_ char *top = r == 0 ? top_of(c, group) : NULL;
        if (r == 0 && !top && !warned)
            firn_warn(c->firn,
                      "container %s had control groups of its own (%s) in a hierarchy that this "
                      "host does not have: its processes are not told apart by it any more",
                      c->name, js_get_string(group, "path"));
        warned = warned || !top;
    }
    return r;
}

static int set_limits(const struct json *group, const char *directory, struct error *err)
{
    const struct json *wanted = js_get(group, "settings");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const char *value = js_get_string(wanted, settings[i]);
        char now[256] = "";
        _cleanup_free_ char *file = path_join(directory, settings[i]);
        if (!value || !*value ||
            (file_read_line(file, now, sizeof(now)) == 0 && strcmp(now, value) == 0))
            continue;
        int r = file_write_existing(file, value);
        if (r < 0)
            return error_errno(err, -r, "cannot set %s to %.100s", file, value);
    }
    return 0;
}

static int move_in(const struct json *group, const char *directory, pid_t (*pid_of)(void *, pid_t),
                   void *context, struct error *err)
{
    const struct json *list = js_get(group, "processes");
    _cleanup_free_ char *file = path_join(directory, "cgroup.procs");
    for (size_t i = 0; i < js_count(list); i++) {
        char text[16];
        pid_t vpid = (pid_t)js_int_value(js_at(list, i)), pid = pid_of(context, vpid);
        snprintf(text, sizeof(text), "%d", pid);
        int r = pid > 0 ? file_write_existing(file, text) : 0;
        if (r < 0)
            return error_errno(err, -r, "cannot put process %d into %s", vpid, directory);
    }
    return 0;
}

int cgroup_tree_make(const struct container *c, const struct json *tree,
                     pid_t (*pid_of)(void *context, pid_t vpid), void *context, struct error *err)
{
    int r = check_tree(c, tree, err);
    /* A v1 cpuset must have its processors before anybody may enter; a v2 group must be left by all
     * before those below may have limits. */
    for (int round = 0; r == 0 && round < 2; round++)
        for (size_t i = 0; r == 0 && i < js_count(tree); i++) {
            const struct json *group = js_at(tree, i);
            _cleanup_free_ char *directory = NULL;
            r = locate(c, group, &directory, err);
            bool unified = r == 0 && !*js_get_string(group, "hierarchy");
            if (r == 0 && directory && unified == (round == 1))
                r = set_limits(group, directory, err);
            else if (r == 0 && directory)
                r = move_in(group, directory, pid_of, context, err);
        }
    return r;
}
