#include "container/top.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/process.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/state.h"

/* A process, as far as a column may want to know. */
struct row {
    const struct top *top;
    pid_t pid; /* the host's */
    struct process_stat stat;
    char *status; /* /proc/PID/status */
};

struct top {
    struct container *c;
    char *root; /* /proc/INIT/root */
    pid_t *pids;
    size_t count;
    struct row *rows;
};

static void top_clear(struct top *t)
{
    for (size_t i = 0; t->rows && i < t->count; i++)
        free(t->rows[i].status);
    free(t->rows);
    free(t->pids);
    free(t->root);
}

/* ---- what /proc says ---- */

/* The value of "Key:\tvalue"; NULL: none. The caller frees. */
static char *status_value(const struct row *row, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = row->status; at && *at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, key, n) != 0 || at[n] != ':')
            continue;
        at += n + 1 + strspn(at + n + 1, "\t ");
        return xstrndup(at, strcspn(at, "\n"));
    }
    return NULL;
}

/* Field `index` of a value that is a list. */
static long status_number(const struct row *row, const char *key, int index)
{
    _cleanup_free_ char *value = status_value(row, key);
    char *at = value;
    long n = 0;
    for (int i = 0; at && i <= index; i++)
        n = strtol(at, &at, 10);
    return n;
}

/* The innermost number: what the container calls it. */
static long inner_number(const struct row *row, const char *key)
{
    _cleanup_free_ char *value = status_value(row, key);
    const char *last = value ? strrchr(value, '\t') : NULL;
    return value ? strtol(last ? last : value, NULL, 10) : 0;
}

static double ticks(uint64_t n)
{
    return (double)n / (double)sysconf(_SC_CLK_TCK);
}

/* utime and stime: fields 14 and 15, counted behind the name. */
static double cpu_seconds(const struct row *row)
{
    char line[1024], path[64];
    unsigned long long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)row->pid);
    if (file_read_line(path, line, sizeof(line)) < 0)
        return 0;
    const char *at = strrchr(line, ')');
    if (at)
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
    return ticks(user + system);
}

static double elapsed_seconds(const struct row *row)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    return seconds - ticks(row->stat.start_ticks);
}

/* ---- names of users ---- */

/* The name of `id` in the container's /etc/passwd or /etc/group (or ours); the number where there
 * is none. */
static char *name_in(const char *root, const char *file, long id)
{
    _cleanup_close_ int rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = rootfd < 0 ? -1 : open_in_root(rootfd, file, O_RDONLY | O_NONBLOCK, 0);
    _cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (f)
        fd = -1;
    char line[1024], name[256];
    long number;
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%255[^:]:%*[^:]:%ld", name, &number) == 2 && number == id)
            return xstrdup(name);
    return xasprintf("%ld", id);
}

static char *user_name(const struct row *row, int index)
{
    return name_in(row->top->root, "/etc/passwd", status_number(row, "Uid", index));
}

static char *group_name(const struct row *row, int index)
{
    return name_in(row->top->root, "/etc/group", status_number(row, "Gid", index));
}

/* ---- columns ---- */

static char *column_args(const struct row *row)
{
    _cleanup_buf_ struct buf b = {0};
    _cleanup_free_ char *path = xasprintf("/proc/%d/cmdline", (int)row->pid);
    file_read(path, &b, NULL);
    while (b.size && !b.data[b.size - 1])
        b.size--;
    if (!b.size)
        return xasprintf("[%s]", row->stat.comm);
    for (size_t i = 0; i < b.size; i++)
        if (!b.data[i])
            b.data[i] = ' ';
    return xstrndup(b.data, b.size);
}

static char *column_comm(const struct row *row)
{
    return xstrdup(row->stat.comm);
}

static char *hms(double seconds)
{
    return duration_go((int64_t)(seconds * 1000) * 1000000);
}

static char *column_etime(const struct row *row)
{
    return hms(elapsed_seconds(row));
}

static char *column_time(const struct row *row)
{
    return duration_go((int64_t)cpu_seconds(row) * 1000000000);
}

static char *column_stime(const struct row *row)
{
    char text[32];
    struct tm when;
    time_t start = time(NULL) - (time_t)elapsed_seconds(row);
    localtime_r(&start, &when);
    strftime(text, sizeof(text), time(NULL) - start < 86400 ? "%H:%M" : "%b%d", &when);
    return xstrdup(text);
}

static char *column_pcpu(const struct row *row)
{
    double elapsed = elapsed_seconds(row);
    return xasprintf("%.3f", elapsed > 0 ? 100 * cpu_seconds(row) / elapsed : 0);
}

static char *column_user(const struct row *row)
{
    return user_name(row, 1);
}

static char *column_ruser(const struct row *row)
{
    return user_name(row, 0);
}

static char *column_group(const struct row *row)
{
    return group_name(row, 1);
}

static char *column_rgroup(const struct row *row)
{
    return group_name(row, 0);
}

static char *column_huser(const struct row *row)
{
    return name_in("/", "/etc/passwd", status_number(row, "Uid", 1));
}

static char *column_hgroup(const struct row *row)
{
    return name_in("/", "/etc/group", status_number(row, "Gid", 1));
}

static char *column_groups(const struct row *row)
{
    _cleanup_free_ char *value = status_value(row, "Groups");
    _cleanup_buf_ struct buf b = {0};
    for (char *at = value, *end; at && *at; at = end) {
        long gid = strtol(at, &end, 10);
        if (end == at)
            break;
        _cleanup_free_ char *name = name_in(row->top->root, "/etc/group", gid);
        buf_printf(&b, "%s%s", b.size ? "," : "", name);
    }
    return buf_take(&b);
}

static char *column_hgroups(const struct row *row)
{
    char *value = status_value(row, "Groups");
    for (char *at = value; at && *at; at++)
        if (*at == ' ')
            *at = at[1] ? ',' : '\0';
    return value ? value : xstrdup("");
}

static char *column_pid(const struct row *row)
{
    return xasprintf("%ld", inner_number(row, "NSpid"));
}

static char *column_hpid(const struct row *row)
{
    return xasprintf("%d", (int)row->pid);
}

static char *column_pgid(const struct row *row)
{
    return xasprintf("%ld", inner_number(row, "NSpgid"));
}

/* Parents outside of the container are 0, as it sees them. */
static char *column_ppid(const struct row *row)
{
    for (size_t i = 0; i < row->top->count; i++)
        if (row->top->rows[i].pid == row->stat.parent)
            return xasprintf("%ld", inner_number(&row->top->rows[i], "NSpid"));
    return xstrdup("0");
}

static char *column_nice(const struct row *row)
{
    return xasprintf("%d", row->stat.nice);
}

static char *column_rss(const struct row *row)
{
    return xasprintf("%ld", status_number(row, "VmRSS", 0));
}

static char *column_vsz(const struct row *row)
{
    return xasprintf("%ld", status_number(row, "VmSize", 0));
}

static char *column_state(const struct row *row)
{
    return xasprintf("%c", row->stat.state);
}

static char *column_label(const struct row *row)
{
    char line[256];
    _cleanup_free_ char *path = xasprintf("/proc/%d/attr/current", (int)row->pid);
    return xstrdup(file_read_line(path, line, sizeof(line)) == 0 && *line ? line : "?");
}

static char *column_seccomp(const struct row *row)
{
    static const char *const modes[] = {"disabled", "strict", "filter"};
    long mode = status_number(row, "Seccomp", 0);
    return xstrdup(mode >= 0 && mode < 3 ? modes[mode] : "?");
}

static char *column_tty(const struct row *row)
{
    int tty = row->stat.tty;
    if (!tty)
        return xstrdup("?");
    unsigned number = minor((unsigned)tty) | (((unsigned)tty >> 12) & 0xfff00);
    return xasprintf(major((unsigned)tty) == 136 ? "pts/%u" : "tty%u", number & 0xfffff);
}

#define CAPABILITY(name, key)                                                                      \
    static char *column_##name(const struct row *row)                                              \
    {                                                                                              \
        char *mask = status_value(row, key);                                                       \
        return mask ? mask : xstrdup("?");                                                         \
    }
CAPABILITY(capamb, "CapAmb")
CAPABILITY(capbnd, "CapBnd")
CAPABILITY(capeff, "CapEff")
CAPABILITY(capinh, "CapInh")
CAPABILITY(capprm, "CapPrm")

static const struct column {
    const char *name, *title;
    char *(*text)(const struct row *row);
} columns[] = {
    {"args", "COMMAND", column_args},
    {"capamb", "AMBIENT CAPS", column_capamb},
    {"capbnd", "BOUNDING CAPS", column_capbnd},
    {"capeff", "EFFECTIVE CAPS", column_capeff},
    {"capinh", "INHERITED CAPS", column_capinh},
    {"capprm", "PERMITTED CAPS", column_capprm},
    {"comm", "COMMAND", column_comm},
    {"etime", "ELAPSED", column_etime},
    {"group", "GROUP", column_group},
    {"groups", "GROUPS", column_groups},
    {"hgroup", "HGROUP", column_hgroup},
    {"hgroups", "HGROUPS", column_hgroups},
    {"hpid", "HPID", column_hpid},
    {"huser", "HUSER", column_huser},
    {"label", "LABEL", column_label},
    {"nice", "NI", column_nice},
    {"pcpu", "%CPU", column_pcpu},
    {"pgid", "PGID", column_pgid},
    {"pid", "PID", column_pid},
    {"ppid", "PPID", column_ppid},
    {"rgroup", "RGROUP", column_rgroup},
    {"rss", "RSS", column_rss},
    {"ruser", "RUSER", column_ruser},
    {"seccomp", "SECCOMP", column_seccomp},
    {"state", "STATE", column_state},
    {"stime", "STIME", column_stime},
    {"time", "TIME", column_time},
    {"tty", "TTY", column_tty},
    {"user", "USER", column_user},
    {"vsz", "VSZ", column_vsz},
};

char **container_top_columns(void)
{
    char **list = NULL;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        strv_add(&list, columns[i].name);
    return list;
}

/* ---- which columns ---- */

/* What people type who know ps. */
static const struct {
    const char *typed, *columns;
} styles[] = {
    {"", "user,pid,ppid,pcpu,etime,tty,time,args"},
    {"-ef", "user,pid,ppid,pcpu,stime,tty,time,args"},
    {"-e", "pid,tty,time,comm"},
    {"aux", "user,pid,pcpu,vsz,rss,tty,state,stime,time,args"},
    {"-aux", "user,pid,pcpu,vsz,rss,tty,state,stime,time,args"},
};

static const struct column *find_column(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        if (strcmp(columns[i].name, name) == 0)
            return &columns[i];
    return NULL;
}

static int choose(char *const *typed, const struct column ***ret, struct error *err)
{
    _cleanup_free_ char *all = strv_join(typed, ",");
    const char *text = all ? all : "";
    for (size_t i = 0; i < ARRAY_LEN(styles); i++)
        if (strcmp(styles[i].typed, text) == 0) {
            text = styles[i].columns;
            break;
        }
    _cleanup_strv_ char **names = strv_split(text, ',');
    _cleanup_free_ const struct column **list = xcalloc(strv_length(names) + 1, sizeof(*list));
    for (size_t i = 0; names[i]; i++) {
        list[i] = find_column(names[i]);
        if (!list[i])
            return error_kind_set(err, ERROR_USAGE,
                                  "\"%s\" is no column that top knows (pid, user, args, ... see "
                                  "`firn top --list-descriptors`)",
                                  names[i]);
    }
    *ret = take_ptr(list);
    return 0;
}

/* ---- which processes ---- */

static void add_pid(struct top *t, size_t *room, pid_t pid)
{
    array_reserve(t->pids, t->count, *room);
    t->pids[t->count++] = pid;
}

/* Without a cgroup: all that are in the init's pid namespace. */
static void find_in_namespace(struct top *t, pid_t init)
{
    struct stat theirs, st;
    size_t room = 0;
    _cleanup_free_ char *path = xasprintf("/proc/%d/ns/pid", (int)init);
    _cleanup_closedir_ DIR *dir = stat(path, &theirs) < 0 ? NULL : opendir("/proc");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        _cleanup_free_ char *ns = xasprintf("/proc/%s/ns/pid", e->d_name);
        if (stat(ns, &st) == 0 && st.st_ino == theirs.st_ino)
            add_pid(t, &room, atoi(e->d_name));
    }
}

static int compare_pids(const void *a, const void *b)
{
    return *(const pid_t *)a - *(const pid_t *)b;
}

static int find_processes(struct top *t, pid_t init, struct error *err)
{
    int r = 0;
    if (cgroup_is_used(t->c))
        r = cgroup_processes(t->c, &t->pids, &t->count, err);
    else
        find_in_namespace(t, init);
    if (r < 0)
        return r;
    if (t->count)
        qsort(t->pids, t->count, sizeof(*t->pids), compare_pids);
    t->rows = xcalloc(t->count + 1, sizeof(*t->rows));
    for (size_t i = 0; i < t->count; i++) {
        _cleanup_buf_ struct buf b = {0};
        _cleanup_free_ char *path = xasprintf("/proc/%d/status", (int)t->pids[i]);
        struct row *row = &t->rows[i];
        row->top = t;
        row->pid = t->pids[i];
        if (process_stat_read(row->pid, 0, &row->stat) == 0 && file_read(path, &b, NULL) == 0)
            row->status = buf_take(&b);
    }
    return 0;
}

static struct json *describe(const struct top *t, const struct column *const *list)
{
    struct json *o = js_object(), *titles = js_array(), *processes = js_array();
    for (size_t k = 0; list[k]; k++)
        js_push(titles, js_string(list[k]->title));
    for (size_t i = 0; i < t->count; i++) {
        if (!t->rows[i].status)
            continue; /* gone already */
        struct json *texts = js_array();
        for (size_t k = 0; list[k]; k++) {
            _cleanup_free_ char *text = list[k]->text(&t->rows[i]);
            js_push(texts, js_string(text));
        }
        js_push(processes, texts);
    }
    js_set(o, "Titles", titles);
    js_set(o, "Processes", processes);
    return o;
}

int container_top(struct container *c, char *const *typed, struct json **ret, struct error *err)
{
    struct container_status s;
    _cleanup_(top_clear) struct top t = {.c = c};
    _cleanup_free_ const struct column **list = NULL;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (!container_state_is_alive(s.state))
        return error_kind_set(err, ERROR_STATE, "top can only be used on running containers");
    t.root = xasprintf("/proc/%d/root", (int)s.init.pid);
    r = choose(typed, &list, err);
    if (r == 0)
        r = find_processes(&t, s.init.pid, err);
    if (r < 0)
        return r;
    *ret = describe(&t, list);
    return 0;
}
