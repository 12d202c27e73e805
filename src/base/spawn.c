#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"

char *find_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? realpath(name, NULL) : NULL;
    const char *path = getenv("PATH");
    _cleanup_strv_ char **dirs =
        strv_split(path && *path ? path
                                 : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                                   "/sbin:/bin",
                   ':');
    STRV_FOREACH(dir, dirs)
    {
        _cleanup_free_ char *candidate = path_join(**dir ? *dir : ".", name);
        if (access(candidate, X_OK) == 0)
            return take_ptr(candidate);
    }
    return NULL;
}

/* Puts `keep` at 3, 4, ... and the three standard descriptors in place; all others go at exec.
 * Everything is first moved above the range we fill, so that no dup2 overwrites a later source. */
static int place_fds(const struct spawn *s, int std[3])
{
    int low = 3 + (int)s->keep_fd_count;
    int keep[64];
    if (s->keep_fd_count > ARRAY_LEN(keep))
        return -E2BIG;
    for (int i = 0; i < 3; i++)
        if ((std[i] = fcntl(std[i], F_DUPFD_CLOEXEC, low)) < 0)
            return -errno;
    for (size_t i = 0; i < s->keep_fd_count; i++)
        if ((keep[i] = fcntl(s->keep_fds[i], F_DUPFD_CLOEXEC, low)) < 0)
            return -errno;
    for (int i = 0; i < 3; i++)
        if (dup2(std[i], i) < 0)
            return -errno;
    for (size_t i = 0; i < s->keep_fd_count; i++)
        if (dup2(keep[i], 3 + (int)i) < 0)
            return -errno;
    return 0;
}

static void close_above(int low, int except)
{
    if (except > low)
        close_range((unsigned)low, (unsigned)except - 1, 0);
    close_range((unsigned)(except >= low ? except + 1 : low), ~0u, 0);
}

static int child(const struct spawn *s, const char *program, int std[3], int status_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < 32; sig++)
        sigaction(sig, &dfl, NULL);
    if (s->new_session)
        setsid();
    if (s->die_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    int low = 3 + (int)s->keep_fd_count;
    int report = fcntl(status_fd, F_DUPFD_CLOEXEC, low);
    int r = report < 0 ? -errno : place_fds(s, std);
    if (r == 0 && s->cwd && chdir(s->cwd) < 0)
        r = -errno;
    if (r == 0 && s->prepare)
        r = s->prepare(s->context);
    if (r == 0) {
        close_above(low, report);
        execve(program, s->argv, s->env ? s->env : environ);
        r = -errno;
    }
    int code = -r;
    if (write(report, &code, sizeof(code)) < 0)
        _exit(127);
    _exit(127);
}

static pid_t start(const struct spawn *s, int std[3], struct error *err)
{
    _cleanup_free_ char *program = find_program(s->argv[0]);
    if (!program)
        return error_set(err, ENOENT, "program %s not found in PATH", s->argv[0]);
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot start %s", s->argv[0]);
    pid_t pid = fork();
    if (pid == 0)
        child(s, program, std, report[1]);
    int fork_errno = errno, code = 0;
    close(report[1]);
    ssize_t n = pid > 0 ? read_full(report[0], &code, sizeof(code)) : 0;
    close(report[0]);
    if (pid < 0)
        return error_errno(err, fork_errno, "cannot start %s", s->argv[0]);
    if (n == sizeof(code)) {
        waitpid(pid, NULL, 0);
        return error_errno(err, code, "cannot execute %s", program);
    }
    return pid;
}

pid_t spawn_start(const struct spawn *s, struct error *err)
{
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return error_errno(err, errno, "cannot open /dev/null");
    int std[3] = {
        s->stdin_fd < 0 ? null : s->stdin_fd,
        s->stdout_fd < 0 ? null : s->stdout_fd,
        s->stderr_fd < 0 ? null : s->stderr_fd,
    };
    return start(s, std, err);
}

int spawn_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void collect(struct pollfd p[2], struct buf *to[2])
{
    while (p[0].fd >= 0 || p[1].fd >= 0) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            if (p[i].fd < 0 || !p[i].revents)
                continue;
            ssize_t n = read(p[i].fd, buf_reserve(to[i], 4096), 4096);
            if (n > 0) {
                to[i]->size += (size_t)n;
                to[i]->data[to[i]->size] = '\0';
            } else if (n == 0 || errno != EINTR) {
                p[i].fd = -1;
            }
        }
    }
}

int spawn_run(const struct spawn *s, struct error *err)
{
    _cleanup_close_ int out_read = -1, err_read = -1;
    _cleanup_close_ int out_write = -1, err_write = -1;
    int p[2];
    struct spawn copy = *s;
    if (s->stdout_to) {
        if (pipe2(p, O_CLOEXEC) < 0)
            return error_errno(err, errno, "cannot start %s", s->argv[0]);
        out_read = p[0], copy.stdout_fd = out_write = p[1];
    }
    if (s->stderr_to && s->stderr_to == s->stdout_to) {
        copy.stderr_fd = out_write;
    } else if (s->stderr_to) {
        if (pipe2(p, O_CLOEXEC) < 0)
            return error_errno(err, errno, "cannot start %s", s->argv[0]);
        err_read = p[0], copy.stderr_fd = err_write = p[1];
    }
    pid_t pid = spawn_start(&copy, err);
    if (pid < 0)
        return pid;
    if (out_write >= 0)
        close(take_fd(out_write));
    if (err_write >= 0)
        close(take_fd(err_write));
    struct pollfd fds[2] = {{.fd = out_read, .events = POLLIN}, {.fd = err_read, .events = POLLIN}};
    collect(fds, (struct buf *[2]){s->stdout_to, s->stderr_to});
    int status = spawn_wait(pid);
    return status < 0 ? error_errno(err, -status, "cannot wait for %s", s->argv[0]) : status;
}

struct orphan {
    pid_t pid;
    struct error why;
};

pid_t spawn_orphan(const struct spawn *s, struct error *err)
{
    int report[2];
    struct orphan o = {.pid = -EAGAIN};
    if (pipe2(report, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot start %s", s->argv[0]);
    pid_t between = fork();
    if (between == 0) {
        o.pid = spawn_start(s, &o.why);
        _exit(write_full(report[1], &o, sizeof(o)) < 0);
    }
    close(report[1]);
    bool told = between > 0 && read_full(report[0], &o, sizeof(o)) == sizeof(o);
    close(report[0]);
    if (between > 0)
        spawn_wait(between);
    if (!told)
        return error_set(err, EAGAIN, "cannot start %s: no process could be made", s->argv[0]);
    if (o.pid < 0 && err)
        *err = o.why;
    return o.pid;
}
