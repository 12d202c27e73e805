#include "container/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/process.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/firn.h"
#include "container/namespace.h"
#include "container/runtime.h"

/* Numbers of the descriptors conmon inherits; the first three are conmon's own protocol. */
enum { HELD_PORTS_MAX = 48 };

enum { SYNC_FD = 3, START_FD = 4, ATTACH_FD = 5 };

/* One start of conmon. */
struct launch {
    struct container *c;
    char **argv;
    char *directory; /* its bundle; it drops files such as "oom" where it stands */
    char *log_path;  /* where the runtime puts its errors */
    bool attach;
    int sync_fd, start_fd, attach_fd; /* our ends */
};

static void launch_clear(struct launch *l)
{
    strv_free(l->argv);
    free(l->directory);
    free(l->log_path);
    cleanup_close(&l->sync_fd);
    cleanup_close(&l->start_fd);
    cleanup_close(&l->attach_fd);
}
#define _cleanup_launch_ _cleanup_(launch_clear)
#define LAUNCH_INIT(container)                                                                     \
    {                                                                                              \
        .c = (container), .sync_fd = -1, .start_fd = -1, .attach_fd = -1                           \
    }

/* --- the command line ---------------------------------------------------------------------- */

static void add(struct launch *l, const char *option, const char *value)
{
    strv_add(&l->argv, option);
    if (value)
        strv_add(&l->argv, value);
}

static void add_exit_command(struct launch *l, char *const *last)
{
    char **command = l->c->firn->exit_command;
    add(l, "--exit-command", command[0]);
    STRV_FOREACH(argument, command + 1)
    {
        add(l, "--exit-command-arg", *argument);
    }
    STRV_FOREACH(argument, last)
    {
        add(l, "--exit-command-arg", *argument);
    }
}

/* What create and exec have in common. `directory` is conmon's bundle. */
static int add_common(struct launch *l, const char *unit, const char *directory,
                      const char *pid_file, const char *exit_dir, struct error *err)
{
    struct container *c = l->c;
    const char *conmon = firn_conmon(c->firn, err);
    _cleanup_free_ char *runtime = conmon ? runtime_path(c, err) : NULL;
    if (!runtime)
        return -err->code;
    _cleanup_free_ char *pid_path = path_join(directory, pid_file);
    l->log_path = path_join(directory, "oci-log");
    l->directory = xstrdup(directory);
    add(l, conmon, NULL);
    add(l, "--api-version", "1");
    add(l, "-c", c->id);
    add(l, "-u", unit);
    add(l, "-r", runtime);
    add(l, "-b", directory);
    add(l, "-p", pid_path);
    add(l, "-n", c->name);
    add(l, "--exit-dir", exit_dir);
    add(l, "--full-attach", NULL);
    if (cgroup_uses_systemd(c))
        add(l, "-s", NULL);
    add(l, "--log-level", "error");
    _cleanup_strv_ char **global = runtime_global_arguments(c, l->log_path);
    STRV_FOREACH(argument, global)
    {
        strv_addf(&l->argv, "--runtime-arg=%s", *argument);
    }
    return 0;
}

static int add_create(struct launch *l, struct error *err)
{
    struct container *c = l->c;
    _cleanup_free_ char *exits = path_join(c->firn->runroot, "exits");
    _cleanup_free_ char *conmon_pid = container_run_path(c, "conmon.pid");
    _cleanup_free_ char *log = container_log_path(c);
    _cleanup_free_ char *log_option = log ? xasprintf("k8s-file:%s", log) : xstrdup("none");
    int r = mkdir_parents(exits, 0700, err);
    if (r == 0)
        r = add_common(l, c->id, c->run_directory, "pidfile", exits, err);
    if (r < 0)
        return r;
    add(l, "-l", log_option);
    int64_t size = js_get_int(c->config, "logSize", 0);
    if (size > 0)
        strv_addf(&l->argv, "--log-size-max=%lld", (long long)size);
    if (container_has_tty(c))
        add(l, "-t", NULL);
    else if (container_has_stdin(c))
        add(l, "-i", NULL);
    add(l, "--conmon-pidfile", conmon_pid);
    char *removing = container_auto_removes(c) ? (char *)"--rm" : c->id;
    add_exit_command(l, (char *const[]){(char *)"container", (char *)"cleanup", removing,
                                        removing == c->id ? NULL : c->id, NULL});
    return 0;
}

static int add_exec(struct launch *l, const struct monitor_exec *exec, struct error *err)
{
    struct container *c = l->c;
    int r = add_common(l, exec->session_id, exec->directory, "exec_pid", exec->directory, err);
    if (r < 0)
        return r;
    add(l, "-l", "none");
    add(l, "-e", NULL);
    add(l, "--exec-process-spec", exec->process_file);
    if (exec->tty)
        add(l, "-t", NULL);
    else if (exec->stdin_open)
        add(l, "-i", NULL);
    if (exec->attach) {
        add(l, "--exec-attach", NULL);
        l->attach = true;
        return 0; /* who attaches puts the session away */
    }
    add_exit_command(l, (char *const[]){(char *)"container", (char *)"cleanup", (char *)"--exec",
                                        (char *)exec->session_id, c->id, NULL});
    return 0;
}

/* --- starting it --------------------------------------------------------------------------- */

static int make_pair(int *ours, int *theirs, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "cannot start conmon: socketpair");
    *ours = pair[0];
    *theirs = pair[1];
    return 0;
}

static char **make_environment(bool attach)
{
    char **env = strv_copy(environ);
    _cleanup_free_ char *ns = namespace_name();
    strv_env_set(&env, "_OCI_SYNCPIPE", "3");
    strv_env_set(&env, "_OCI_STARTPIPE", "4");
    if (attach)
        strv_env_set(&env, "_OCI_ATTACHPIPE", "5");
    if (ns)
        strv_env_set(&env, NAMESPACE_VARIABLE, ns);
    return env;
}

static int send_start(int fd, struct error *err)
{
    if (send(fd, "", 1, MSG_NOSIGNAL) != 1)
        return error_errno(err, errno, "conmon ended before it was told to start");
    return 0;
}

/* conmon forks into the background before it calls the runtime; the child we made then ends. */
static int run(struct launch *l, bool private_mounts, struct error *err)
{
    _cleanup_close_ int sync = -1, start = -1, attach = -1;
    int r = make_pair(&l->sync_fd, &sync, err);
    if (r == 0)
        r = make_pair(&l->start_fd, &start, err);
    if (r == 0 && l->attach)
        r = make_pair(&l->attach_fd, &attach, err);
    if (r < 0)
        return r;
    int fds[3 + HELD_PORTS_MAX] = {sync, start, attach};
    size_t fd_count = l->attach ? 3 : 2;
    /* conmon knows nothing of them, it only keeps them open. */
    for (size_t i = 0; private_mounts && i < l->c->port_sockets.count && i < HELD_PORTS_MAX; i++)
        fds[fd_count++] = l->c->port_sockets.fds[i];
    struct spawn s = SPAWN_INIT;
    if (private_mounts)
        s.prepare = runtime_prepare_callback();
    _cleanup_strv_ char **env = make_environment(l->attach);
    s.argv = l->argv;
    s.cwd = l->directory;
    s.env = env;
    s.keep_fds = fds;
    s.keep_fd_count = fd_count;
    if (l->c->firn->log_level <= LOG_LEVEL_DEBUG)
        s.stderr_fd = STDERR_FILENO;
    pid_t pid = spawn_start(&s, err);
    if (pid < 0)
        return pid;
    r = send_start(l->start_fd, err);
    int status = spawn_wait(pid);
    if (r == 0 && status != 0)
        r = error_set(err, EIO, "conmon failed with exit code %d", status);
    return r;
}

/* One message: {"data": N, "message": "..."}. Returns 1, or 0 when conmon closed the socket. */
static int read_message(int fd, int64_t *ret_data, char **ret_text, struct error *err)
{
    char text[32768];
    ssize_t n;
    do
        n = recv(fd, text, sizeof(text) - 1, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_errno(err, errno, "cannot read conmon's answer");
    if (n == 0)
        return 0;
    text[n] = '\0';
    _cleanup_json_ struct json *o = NULL;
    int r = js_parse(text, (size_t)n, "conmon's answer", &o, err);
    if (r < 0)
        return r;
    *ret_data = js_get_int(o, "data", -1);
    free(*ret_text);
    *ret_text = xstrdup_null(js_get_string(o, "message"));
    return 1;
}

/* The pid of what was created, or the runtime's error. */
static int read_pid(struct launch *l, pid_t *ret, struct error *err)
{
    int64_t data = -1;
    _cleanup_free_ char *text = NULL;
    int r = read_message(l->sync_fd, &data, &text, err);
    if (r < 0)
        return r;
    if (r == 0 || data <= 0)
        return runtime_error(l->c, l->log_path, text, err);
    *ret = (pid_t)data;
    return 0;
}

static int write_descriptors(struct container *c, pid_t pid, struct error *err)
{
    _cleanup_json_ struct json *list = js_array();
    for (int fd = 0; fd < 3; fd++) {
        char link[64], target[4096];
        snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
        ssize_t n = readlink(link, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        js_push(list, js_string(target));
    }
    _cleanup_free_ char *path = container_run_path(c, "descriptors.json");
    return js_write_file(path, list, 0600, err);
}

/* What a checkpoint compares with: the container may mount things later. */
static int write_mounts(struct container *c, pid_t pid, struct error *err)
{
    char from[64];
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *path = container_run_path(c, "mounts");
    snprintf(from, sizeof(from), "/proc/%d/mountinfo", (int)pid);
    int r = file_read(from, &text, err);
    return r < 0 ? r : file_write_atomic(path, text.data, text.size, 0600, false, err);
}

/* The record that everything about the running container is derived from comes last. */
static int write_process(struct container *c, pid_t pid, struct error *err)
{
    struct process p;
    int r = process_identify(pid, &p);
    if (r < 0)
        return error_errno(err, -r, "the init process %d of container %s is gone", (int)pid, c->id);
    _cleanup_free_ char *text =
        xasprintf("%d %llu\n", (int)p.pid, (unsigned long long)p.start_ticks);
    _cleanup_free_ char *path = container_run_path(c, "process");
    return file_write_atomic(path, text, strlen(text), 0600, false, err);
}

int monitor_create(struct container *c, pid_t *ret_pid, struct error *err)
{
    _cleanup_launch_ struct launch l = LAUNCH_INIT(c);
    pid_t pid = 0;
    monitor_exit_forget(c);
    int r = add_create(&l, err);
    if (r == 0)
        r = run(&l, true, err);
    if (r == 0)
        r = read_pid(&l, &pid, err);
    if (r == 0)
        r = write_descriptors(c, pid, err);
    if (r == 0)
        r = write_mounts(c, pid, err);
    if (r == 0)
        r = write_process(c, pid, err);
    if (r < 0)
        return r;
    const char *copy = js_get_string(c->config, "pid_file");
    _cleanup_free_ char *number = xasprintf("%d", (int)pid);
    if (copy && *copy)
        r = file_write_atomic(copy, number, strlen(number), 0644, false, err);
    *ret_pid = pid;
    return r;
}

/* --- exec ---------------------------------------------------------------------------------- */

int monitor_exec_start(struct container *c, const struct monitor_exec *exec,
                       struct monitor_session *ret, struct error *err)
{
    _cleanup_launch_ struct launch l = LAUNCH_INIT(c);
    int r = add_exec(&l, exec, err);
    if (r == 0)
        r = run(&l, false, err);
    if (r < 0)
        return r;
    int attach_fd = -1;
    if (exec->attach) {
        int64_t data = -1;
        _cleanup_free_ char *text = NULL;
        r = read_message(l.attach_fd, &data, &text, err);
        if (r < 0)
            return r;
        if (r == 0 || data < 0)
            return error_set(err, EIO, "conmon offers no attach socket%s%s", text ? ": " : "",
                             text ? text : "");
        attach_fd = monitor_attach(exec->directory, err);
        if (attach_fd < 0)
            return attach_fd;
    }
    *ret = (struct monitor_session){
        .sync_fd = take_fd(l.sync_fd), .attach_fd = attach_fd, .start_fd = take_fd(l.start_fd)};
    return 0;
}

int monitor_exec_begin(struct container *c, const struct monitor_exec *exec,
                       struct monitor_session *s, pid_t *ret_pid, struct error *err)
{
    int r = exec->attach ? send_start(s->start_fd, err) : 0;
    if (r < 0)
        return r;
    struct launch l = LAUNCH_INIT(c);
    _cleanup_free_ char *log = path_join(exec->directory, "oci-log");
    l.log_path = log;
    l.sync_fd = s->sync_fd;
    return read_pid(&l, ret_pid, err);
}

int monitor_exec_wait(struct monitor_session *s, int *ret_code, struct error *err)
{
    int64_t data = -1;
    _cleanup_free_ char *text = NULL;
    int r = read_message(s->sync_fd, &data, &text, err);
    if (r < 0)
        return r;
    if (r == 0)
        return error_set(err, EIO, "conmon ended without an exit code");
    *ret_code = (int)data;
    return 0;
}

void monitor_session_close(struct monitor_session *s)
{
    cleanup_close(&s->sync_fd);
    cleanup_close(&s->attach_fd);
    cleanup_close(&s->start_fd);
    *s = (struct monitor_session){-1, -1, -1};
}

/* --- attach and resize --------------------------------------------------------------------- */

int monitor_attach(const char *directory, struct error *err)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    _cleanup_close_ int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || dir < 0)
        return error_errno(err, errno, "cannot attach to %s", directory);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    /* The path may be longer than a socket address holds. */
    snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/attach", dir);
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
        return error_errno(err, errno, "failed to connect to container's attach socket %s/attach",
                           directory);
    return take_fd(fd);
}

int monitor_resize(const char *directory, unsigned rows, unsigned columns)
{
    _cleanup_free_ char *path = path_join(directory, "ctl");
    _cleanup_close_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    _cleanup_free_ char *text = xasprintf("1 %u %u\n", rows, columns);
    return write_full(fd, text, strlen(text));
}

/* --- exit file ----------------------------------------------------------------------------- */

static char *exit_path(const struct container *c)
{
    return xasprintf("%s/exits/%s", c->firn->runroot, c->id);
}

int monitor_exit_read(const struct container *c, int *ret_code, int64_t *ret_time)
{
    char line[32];
    struct stat st;
    _cleanup_free_ char *path = exit_path(c);
    int r = file_read_line(path, line, sizeof(line));
    if (r < 0)
        return r;
    if (!line[0] || stat(path, &st) < 0)
        return -ENOENT;
    if (ret_code)
        *ret_code = atoi(line);
    if (ret_time)
        *ret_time = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
    return 0;
}

void monitor_exit_forget(const struct container *c)
{
    _cleanup_free_ char *path = exit_path(c);
    unlink(path);
}

pid_t monitor_pid(const struct container *c)
{
    char line[32];
    _cleanup_free_ char *path = container_run_path(c, "conmon.pid");
    return file_read_line(path, line, sizeof(line)) == 0 ? (pid_t)atoi(line) : 0;
}

/* Milliseconds left for poll: -1 for ever. */
static int time_left(int64_t deadline)
{
    if (deadline < 0)
        return -1;
    int64_t left = deadline - monotonic_ns();
    return left <= 0 ? 0 : (int)(left / 1000000 + 1);
}

int monitor_exit_wait(const struct container *c, int64_t timeout_ns)
{
    if (monitor_exit_read(c, NULL, NULL) == 0)
        return 0;
    _cleanup_free_ char *exits = path_join(c->firn->runroot, "exits");
    _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch < 0 || inotify_add_watch(watch, exits, IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
        return -errno;
    struct process conmon = {0};
    pid_t pid = monitor_pid(c);
    _cleanup_close_ int alive =
        pid > 0 && process_identify(pid, &conmon) == 0 ? process_open(&conmon) : -1;
    int64_t deadline = timeout_ns < 0 ? -1 : monotonic_ns() + timeout_ns;
    for (;;) {
        /* Looked at after the watch began, so that nothing falls between. */
        if (monitor_exit_read(c, NULL, NULL) == 0)
            return 0;
        if (alive < 0)
            return -ESRCH;
        struct pollfd p[2] = {{.fd = watch, .events = POLLIN}, {.fd = alive, .events = POLLIN}};
        int n = poll(p, 2, time_left(deadline));
        if (n == 0)
            return -ETIMEDOUT;
        if (n < 0 && errno != EINTR)
            return -errno;
        char events[4096];
        while (read(watch, events, sizeof(events)) > 0)
            ;
        if (n > 0 && p[1].revents)
            close(take_fd(alive));
    }
}
