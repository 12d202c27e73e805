#include "container/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/delegation.h"
#include "container/firn.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
enum { CGROUP2_MAGIC = 0x63677270, KILL_ROUNDS = 2000 };

enum cgroup_mode cgroup_mode(void)
{
    struct statfs fs;
    if (statfs(CGROUP_ROOT, &fs) == 0 && fs.f_type == CGROUP2_MAGIC)
        return CGROUP_V2;
    return path_exists(CGROUP_ROOT "/unified") ? CGROUP_HYBRID : CGROUP_V1;
}

/* ---- an ordinary user's ---- */

#define PARENT "libpod_parent"

/* The lines of <run_directory>/cgroup: the parent's path, and controllers. NULL: it has none. The
 * caller frees. */
static char **read_place(const struct container *c)
{
    _cleanup_buf_ struct buf b = {0};
    _cleanup_free_ char *path = container_run_path(c, "cgroup");
    if (!path_exists(path) || file_read(path, &b, NULL) < 0 || !b.data)
        return NULL;
    _cleanup_strv_ char **lines = strv_split(b.data, '\n');
    return strv_length(lines) >= 2 ? take_ptr(lines) : NULL;
}

/* One by one: those that cannot be are not in the others' way. */
static void enable_controllers(const char *group, char *const *controllers)
{
    _cleanup_free_ char *file = xasprintf("%s%s/cgroup.subtree_control", CGROUP_ROOT, group);
    STRV_FOREACH(controller, controllers)
    {
        _cleanup_free_ char *word = xasprintf("+%s", *controller);
        file_write_existing(file, word);
    }
}

int cgroup_prepare(struct container *c, struct error *err)
{
    _cleanup_free_ char *path = container_run_path(c, "cgroup");
    _cleanup_delegation_ struct delegation d = {0};
    if (!c->firn->rootless)
        return 0;
    unlink(path);
    if (!delegation_here(&d))
        return 0;
    const char *slash = strcmp(d.path, "/") == 0 ? "" : "/";
    _cleanup_free_ char *parent = xasprintf("%s%s" PARENT, d.path, slash);
    _cleanup_free_ char *directory = xasprintf("%s%s", CGROUP_ROOT, parent);
    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        return error_errno(err, errno, "cannot create cgroup %s", directory);
    enable_controllers(d.path, d.controllers);
    enable_controllers(parent, d.controllers);
    _cleanup_free_ char *words = strv_join(d.controllers, " ");
    _cleanup_free_ char *text = xasprintf("%s\n%s\n", parent, words ? words : "");
    return file_write_atomic(path, text, strlen(text), 0600, false, err);
}

char **cgroup_controllers(const struct container *c)
{
    _cleanup_strv_ char **place = read_place(c);
    return place && *place[1] ? strv_split(place[1], ' ') : NULL;
}

bool cgroup_is_used(const struct container *c)
{
    _cleanup_free_ char *path = c->firn->rootless ? container_run_path(c, "cgroup") : NULL;
    return !path || path_exists(path);
}

/* ---- paths ---- */

bool cgroup_uses_systemd(const struct container *c)
{
    return !c->firn->rootless && string_equal(js_get_string(c->config, "cgroupManager"), "systemd");
}

/* The caller frees. */
static char *parent_of(const struct container *c)
{
    _cleanup_strv_ char **place = c->firn->rootless ? read_place(c) : NULL;
    if (place)
        return xstrdup(place[0]);
    const char *parent = js_get_string(c->config, "cgroupParent");
    if (parent && *parent)
        return xstrdup(parent);
    return xstrdup(cgroup_uses_systemd(c) ? "machine.slice" : "/" PARENT);
}

char *cgroup_spec_path(const struct container *c)
{
    _cleanup_free_ char *parent = parent_of(c);
    if (cgroup_uses_systemd(c))
        return xasprintf("%s:libpod:%s", parent, c->id);
    return xasprintf("%s/libpod-%s", parent, c->id);
}

/* Below the root of a hierarchy. */
static char *relative_path(const struct container *c)
{
    _cleanup_free_ char *parent = parent_of(c);
    return xasprintf("%s/libpod-%s%s", parent, c->id, cgroup_uses_systemd(c) ? ".scope" : "");
}

/* <hierarchy>/<path> where there is such a directory. */
static char *existing(const char *hierarchy, const char *relative)
{
    _cleanup_free_ char *path = path_join(hierarchy, relative);
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? take_ptr(path) : NULL;
}

char *cgroup_directory(const struct container *c, const char *controller)
{
    _cleanup_free_ char *relative = relative_path(c);
    if (cgroup_mode() == CGROUP_V2)
        return existing(CGROUP_ROOT, relative);
    _cleanup_free_ char *hierarchy = path_join(CGROUP_ROOT, controller);
    return existing(hierarchy, relative);
}

char *cgroup_freezer_directory(const struct container *c, bool *ret_v2)
{
    if (ret_v2)
        *ret_v2 = cgroup_mode() == CGROUP_V2;
    return cgroup_directory(c, "freezer");
}

char **cgroup_hierarchies(const struct container *c)
{
    char **list = NULL;
    if (!cgroup_is_used(c))
        return NULL;
    if (cgroup_mode() == CGROUP_V2) {
        strv_add(&list, "");
        return list;
    }
    _cleanup_closedir_ DIR *dir = opendir(CGROUP_ROOT);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        _cleanup_free_ char *path =
            e->d_name[0] == '.' || e->d_type == DT_LNK ? NULL : cgroup_directory(c, e->d_name);
        if (path)
            strv_add(&list, e->d_name);
    }
    return list;
}

/* All its directories, one per hierarchy. The caller frees. */
static char **all_directories(const struct container *c)
{
    char **list = NULL;
    _cleanup_free_ char *relative = relative_path(c);
    if (cgroup_mode() == CGROUP_V2) {
        char *path = existing(CGROUP_ROOT, relative);
        if (path)
            strv_take(&list, path);
        return list;
    }
    _cleanup_closedir_ DIR *dir = opendir(CGROUP_ROOT);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.' || e->d_type == DT_LNK)
            continue;
        _cleanup_free_ char *hierarchy = path_join(CGROUP_ROOT, e->d_name);
        char *path = existing(hierarchy, relative);
        if (path)
            strv_take(&list, path);
    }
    return list;
}

bool cgroup_is_frozen(const struct container *c)
{
    bool v2;
    char line[32];
    _cleanup_free_ char *dir = cgroup_freezer_directory(c, &v2);
    if (!dir)
        return false;
    _cleanup_free_ char *file = path_join(dir, v2 ? "cgroup.freeze" : "freezer.self_freezing");
    return file_read_line(file, line, sizeof(line)) == 0 && strcmp(line, "1") == 0;
}

/* A file with a number; "max" and what is not there have none. */
static uint64_t number_in(const char *directory, const char *name, uint64_t otherwise)
{
    char line[32];
    _cleanup_free_ char *path = path_join(directory, name);
    if (file_read_line(path, line, sizeof(line)) < 0 || *line < '0' || *line > '9')
        return otherwise;
    return strtoull(line, NULL, 10);
}

static uint64_t host_memory_to_spare(void)
{
    _cleanup_buf_ struct buf text = {0};
    unsigned long long kilobytes = 0;
    if (file_read("/proc/meminfo", &text, NULL) < 0)
        return 0;
    const char *line = strstr(text.data, "MemAvailable:");
    return line && sscanf(line, "MemAvailable: %llu", &kilobytes) == 1 ? kilobytes << 10 : 0;
}

uint64_t cgroup_memory_to_spare(const struct container *c)
{
    uint64_t host = host_memory_to_spare();
    _cleanup_free_ char *group = cgroup_directory(c, "memory");
    if (!group)
        return host;
    bool v2 = cgroup_mode() == CGROUP_V2;
    uint64_t limit = number_in(group, v2 ? "memory.max" : "memory.limit_in_bytes", UINT64_MAX);
    uint64_t used = number_in(group, v2 ? "memory.current" : "memory.usage_in_bytes", 0);
    uint64_t own = limit > used ? limit - used : 0;
    return own < host ? own : host;
}

static void thaw(const struct container *c)
{
    bool v2;
    _cleanup_free_ char *dir = cgroup_freezer_directory(c, &v2);
    if (!dir)
        return;
    _cleanup_free_ char *file = path_join(dir, v2 ? "cgroup.freeze" : "freezer.state");
    file_write_existing(file, v2 ? "0" : "THAWED");
}

/* --- processes ----------------------------------------------------------------------------- */

struct pid_list {
    pid_t *items;
    size_t count;
    size_t room;
};

static void add_pid(struct pid_list *list, pid_t pid)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == pid)
            return;
    array_reserve(list->items, list->count, list->room);
    list->items[list->count++] = pid;
}

static int add_processes(struct pid_list *list, const char *path, struct error *err)
{
    _cleanup_free_ char *file = path_join(path, "cgroup.procs");
    _cleanup_buf_ struct buf b = {0};
    int r = file_read(file, &b, err);
    if (r < 0)
        return r == -ENOENT || r == -ENODEV ? 0 : r;
    for (char *p = b.data, *end; p && *p; p = end + (*end == '\n')) {
        long pid = strtol(p, &end, 10);
        if (end == p)
            break;
        if (pid > 0)
            add_pid(list, (pid_t)pid);
    }
    _cleanup_closedir_ DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *sub = path_join(path, e->d_name);
        r = add_processes(list, sub, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int cgroup_processes(const struct container *c, pid_t **ret, size_t *ret_count, struct error *err)
{
    struct pid_list list = {0};
    _cleanup_strv_ char **directories = all_directories(c);
    STRV_FOREACH(path, directories)
    {
        int r = add_processes(&list, *path, err);
        if (r < 0) {
            free(list.items);
            return r;
        }
    }
    *ret = list.items;
    *ret_count = list.count;
    return 0;
}

int cgroup_join(const struct container *c, pid_t pid, struct error *err)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", (int)pid);
    _cleanup_strv_ char **directories = all_directories(c);
    STRV_FOREACH(path, directories)
    {
        _cleanup_free_ char *file = path_join(*path, "cgroup.procs");
        int r = file_write_existing(file, text);
        if (r < 0)
            return error_errno(err, -r, "cannot put process %d into %s", (int)pid, *path);
    }
    return 0;
}

/* --- warming up ---------------------------------------------------------------------------- */

/* Our own cgroup.procs in the freezer hierarchy, or the unified one. NULL: unknown. */
static char *own_procs_file(void)
{
    _cleanup_buf_ struct buf b = {0};
    if (file_read("/proc/self/cgroup", &b, NULL) < 0)
        return NULL;
    bool v2 = cgroup_mode() == CGROUP_V2;
    _cleanup_strv_ char **lines = strv_split(b.data ? b.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        const char *path = strstr(*line, v2 ? "0::" : ":freezer:");
        if (path)
            return xasprintf("%s%s%s/cgroup.procs", CGROUP_ROOT, v2 ? "" : "/freezer",
                             strrchr(path, ':') + 1);
    }
    return NULL;
}

static void *write_ourselves(void *path)
{
    file_write_existing(path, "0");
    free(path);
    return NULL;
}

void cgroup_warm_up(void)
{
    /* Where we are already: nothing moves. */
    pthread_t thread;
    pthread_attr_t attributes;
    char *path = own_procs_file();
    if (!path)
        return;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, write_ourselves, path) != 0)
        free(path);
    pthread_attr_destroy(&attributes);
}

/* --- removal ------------------------------------------------------------------------------- */

/* rmdir depth first. */
static int remove_directories(const char *path)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        _cleanup_free_ char *sub = path_join(path, e->d_name);
        int r = remove_directories(sub);
        if (r < 0)
            return r;
    }
    return rmdir(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int kill_processes(const struct container *c, struct error *err)
{
    _cleanup_free_ pid_t *pids = NULL;
    size_t count = 0;
    int r = cgroup_processes(c, &pids, &count, err);
    if (r < 0 || !count)
        return r;
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    thaw(c);
    return 1;
}

int cgroup_remove(const struct container *c, struct error *err)
{
    _cleanup_strv_ char **directories = all_directories(c);
    STRV_FOREACH(path, directories)
    {
        int r = remove_directories(*path);
        /* The kernel says busy until the last task is reaped; there is no event for it on v1. */
        for (int round = 0; r == -EBUSY && round < KILL_ROUNDS; round++) {
            r = kill_processes(c, err);
            if (r < 0)
                return r;
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            r = remove_directories(*path);
        }
        if (r < 0)
            return error_errno(err, -r, "cannot remove cgroup %s of container %s", *path, c->id);
    }
    return 0;
}
