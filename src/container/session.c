#include "container/session.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/process.h"
#include "base/strv.h"
#include "container/firn.h"

#define RECORD "session.json"
enum { FORGET_SECONDS = 300 };

void session_free(struct session *s)
{
    container_free(s->c);
    js_unref(s->record);
    free(s->id);
    free(s->directory);
    free(s);
}

static char *sessions_directory(const struct container *c)
{
    return container_run_path(c, "exec");
}

/* ---- creating ---- */

static struct json *describe(const struct container *c, const struct exec_options *o, bool output)
{
    struct json *r = js_object();
    js_set(r, "ContainerID", js_string(c->id));
    js_set(r, "Command", js_strings(o->command));
    js_set(r, "Env", js_strings(o->env));
    js_set(r, "User", js_string(o->user));
    js_set(r, "WorkDir", js_string(o->workdir));
    js_set(r, "Tty", js_bool(o->tty));
    js_set(r, "Interactive", js_bool(o->interactive));
    js_set(r, "Privileged", js_bool(o->privileged));
    js_set(r, "Output", js_bool(output));
    return r;
}

/* conmon writes it when the command has ended: the exit code. */
static char *exit_path(const struct session *s)
{
    return path_join(s->directory, s->c->id);
}

static bool is_old(const struct session *s)
{
    struct stat st;
    _cleanup_free_ char *path = exit_path(s);
    return stat(path, &st) == 0 && now_ns() / 1000000000 - st.st_mtim.tv_sec > FORGET_SECONDS;
}

static void forget_old(struct container *c)
{
    _cleanup_free_ char *path = sessions_directory(c);
    _cleanup_closedir_ DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!is_sha256_hex(e->d_name))
            continue;
        _cleanup_free_ char *directory = path_join(path, e->d_name);
        struct session s = {.c = c, .directory = directory};
        if (is_old(&s))
            remove_tree(directory, NULL);
    }
}

int session_create(struct container *c, const struct exec_options *options, bool output,
                   char **ret_id, struct error *err)
{
    int r = exec_check(c, options, err);
    if (r < 0)
        return r;
    forget_old(c);
    char id[ID_HEX_SIZE];
    random_id(id);
    _cleanup_free_ char *parent = sessions_directory(c), *directory = path_join(parent, id);
    _cleanup_free_ char *path = path_join(directory, RECORD);
    _cleanup_json_ struct json *record = describe(c, options, output);
    r = mkdir_parents(directory, 0700, err);
    if (r == 0)
        r = js_write_file(path, record, 0600, err);
    if (r == 0)
        *ret_id = xstrdup(id);
    return r;
}

/* ---- finding ---- */

static int open_session(struct firn *firn, const char *container_id, const char *id,
                        struct session **ret, struct error *err)
{
    _cleanup_free_ char *directory =
        xasprintf("%s/containers/%s/exec/%s", firn->runroot, container_id, id);
    _cleanup_free_ char *path = path_join(directory, RECORD);
    if (!path_exists(path))
        return -ENOENT;
    _cleanup_session_ struct session *s = xcalloc(1, sizeof(*s));
    int r = js_parse_file(path, &s->record, err);
    if (r == 0)
        r = container_lookup(firn, container_id, &s->c, err);
    if (r < 0)
        return r;
    s->id = xstrdup(id);
    s->directory = take_ptr(directory);
    *ret = take_ptr(s);
    return 0;
}

int session_lookup(struct firn *firn, const char *id, struct session **ret, struct error *err)
{
    _cleanup_free_ char *path = path_join(firn->runroot, "containers");
    _cleanup_closedir_ DIR *dir = is_sha256_hex(id) ? opendir(path) : NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        int r = is_sha256_hex(e->d_name) ? open_session(firn, e->d_name, id, ret, err) : -ENOENT;
        if (r != -ENOENT)
            return r;
    }
    return error_kind_set(err, ERROR_NOT_FOUND,
                          "no exec session with ID \"%s\" found: no such exec session", id);
}

/* ---- looking ---- */

static bool flag(const struct session *s, const char *key)
{
    return js_get_bool(s->record, key, false);
}

bool session_has_tty(const struct session *s)
{
    return flag(s, "Tty");
}

bool session_has_stdin(const struct session *s)
{
    return flag(s, "Interactive");
}

static pid_t recorded_pid(const struct session *s)
{
    char line[32];
    _cleanup_free_ char *path = path_join(s->directory, "exec_pid");
    return file_read_line(path, line, sizeof(line)) == 0 ? (pid_t)atoi(line) : 0;
}

static bool was_started(const struct session *s)
{
    _cleanup_free_ char *path = path_join(s->directory, "process.json");
    return path_exists(path);
}

void session_status(const struct session *s, struct session_status *ret)
{
    char line[32];
    struct process p;
    _cleanup_free_ char *path = exit_path(s);
    *ret = (struct session_status){.state = SESSION_CREATED};
    if (!was_started(s))
        return;
    if (file_read_line(path, line, sizeof(line)) == 0 && line[0]) {
        ret->state = SESSION_ENDED;
        ret->exit_code = atoi(line);
        return;
    }
    ret->state = SESSION_RUNNING;
    pid_t pid = recorded_pid(s);
    if (pid > 0 && process_identify(pid, &p) == 0)
        ret->pid = pid;
}

char **session_list(const struct container *c)
{
    _cleanup_free_ char *path = sessions_directory(c);
    _cleanup_closedir_ DIR *dir = opendir(path);
    char **ids = NULL;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (!is_sha256_hex(e->d_name))
            continue;
        _cleanup_free_ char *directory = path_join(path, e->d_name);
        struct session s = {.c = (struct container *)c, .directory = directory};
        struct session_status status;
        session_status(&s, &status);
        if (status.state == SESSION_RUNNING)
            strv_add(&ids, e->d_name);
    }
    return ids;
}

/* ---- running ---- */

static struct monitor_exec monitor_exec(const struct session *s, bool attach)
{
    return (struct monitor_exec){
        .session_id = s->id,
        .directory = s->directory,
        .tty = session_has_tty(s),
        .stdin_open = session_has_stdin(s) && attach,
        .attach = attach,
    };
}

int session_start(struct session *s, bool attach, struct monitor_session *ret, struct error *err)
{
    _cleanup_strv_ char **command = js_get_strings(s->record, "Command");
    _cleanup_strv_ char **env = js_get_strings(s->record, "Env");
    const struct exec_options options = {
        .command = command,
        .env = env,
        .user = js_get_string(s->record, "User"),
        .workdir = js_get_string(s->record, "WorkDir"),
        .tty = session_has_tty(s),
        .privileged = flag(s, "Privileged"),
    };
    if (was_started(s))
        return error_kind_set(err, ERROR_STATE,
                              "exec session %s was started already: exec session state improper",
                              s->id);
    struct monitor_exec e = monitor_exec(s, attach);
    _cleanup_free_ char *process_file = NULL;
    int r = exec_check(s->c, &options, err);
    if (r == 0)
        r = exec_prepare(s->c, &options, &e, &process_file, err);
    *ret = (struct monitor_session){-1, -1, -1};
    if (r == 0)
        r = monitor_exec_start(s->c, &e, ret, err);
    if (r == 0 && !attach)
        r = session_begin(s, ret, err);
    return r;
}

int session_begin(struct session *s, struct monitor_session *m, struct error *err)
{
    pid_t pid;
    struct monitor_exec e = monitor_exec(s, m->attach_fd >= 0);
    return monitor_exec_begin(s->c, &e, m, &pid, err);
}

void session_wait(struct session *s, struct monitor_session *m)
{
    int code;
    struct session_status status;
    const struct timespec pause = {.tv_nsec = 2000000};
    if (monitor_exec_wait(m, &code, NULL) < 0)
        return;
    /* The file is written about when the code is told. */
    for (int i = 0; i < 500; i++) {
        session_status(s, &status);
        if (status.state == SESSION_ENDED)
            return;
        nanosleep(&pause, NULL);
    }
}

int session_resize(struct session *s, unsigned rows, unsigned columns, struct error *err)
{
    int r = monitor_resize(s->directory, rows, columns);
    return r < 0 ? error_errno(err, -r, "cannot resize the terminal of exec session %s", s->id) : 0;
}
