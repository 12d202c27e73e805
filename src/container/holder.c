#include "container/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/process.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/namespace.h"
#include "container/subid.h"
#include "store/store.h"

bool holder_needed(void)
{
    return geteuid() != 0;
}

/* ---- joining ---- */

/* What the holder's file says: "pid start user mnt", the last two being inodes. */
struct record {
    struct process process;
    uint64_t user_ns, mount_ns;
};

static bool record_read(const char *path, struct record *ret)
{
    char line[128];
    return file_read_line(path, line, sizeof(line)) == 0 &&
           sscanf(line, "%d %" SCNu64 " %" SCNu64 " %" SCNu64, &ret->process.pid,
                  &ret->process.start_ticks, &ret->user_ns, &ret->mount_ns) == 4;
}

static int open_namespace(const char *pid, const char *kind, uint64_t wanted)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%.20s/ns/%s", pid, kind);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -ESRCH;
    return wanted && st.st_ino != wanted ? -ESRCH : take_fd(fd);
}

/* The very namespaces, and made by us: inodes are used again. */
static int join(const char *pid, const struct record *r)
{
    uid_t owner;
    _cleanup_close_ int user = open_namespace(pid, "user", r->user_ns);
    _cleanup_close_ int mounts = open_namespace(pid, "mnt", r->mount_ns);
    if (user < 0 || mounts < 0 || ioctl(user, NS_GET_OWNER_UID, &owner) < 0 || owner != geteuid())
        return -ESRCH;
    if (setns(user, CLONE_NEWUSER) < 0 || setns(mounts, CLONE_NEWNS) < 0)
        return -errno;
    return 0;
}

static int join_holder(const struct record *r)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)r->process.pid);
    return process_alive(&r->process) ? join(pid, r) : -ESRCH;
}

/* Any process that still lives there. */
static int join_survivor(const struct record *r)
{
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));)
        if (isdigit((unsigned char)e->d_name[0]) && join(e->d_name, r) == 0)
            return 0;
    return -ESRCH;
}

/* ---- the holder ---- */

void holder_hold(void)
{
    static const int ignored[] = {SIGINT, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NAME, "firn-holder");
    for (;;)
        pause();
}

static int tell(int fd, int value)
{
    return write_full(fd, &value, sizeof(value));
}

static int hear(int fd)
{
    int value = -EPIPE;
    return read_full(fd, &value, sizeof(value)) == sizeof(value) ? value : -EPIPE;
}

/* Root of the new namespaces from here on. What is mounted on the host later appears here too. */
static int settle(void)
{
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return -errno;
    if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return -errno;
    return namespace_needed() ? namespace_cover() : 0;
}

/* Everything but the exec, told to `fd` step by step. */
static _Noreturn void be_holder(int fd, bool make)
{
    int null = open("/dev/null", O_RDWR);
    setsid();
    int r = make && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? -errno : 0;
    tell(fd, r < 0 ? r : getpid());
    if (r == 0 && hear(fd) == 0) {
        tell(fd, make ? settle() : 0);
        if (hear(fd) < 0 || chdir("/") < 0)
            _exit(1);
        for (int i = 0; i < 3; i++)
            dup2(null, i);
        close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
        char *const argv[] = {(char *)"firn", (char *)HOLDER_COMMAND, NULL};
        char *const env[] = {NULL};
        execve("/proc/self/exe", argv, env);
    }
    _exit(1);
}

/* A grandchild, so that nobody has to wait for it. */
static pid_t start_holder(int *ret_fd, bool make)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]);
        if (fork() == 0)
            be_holder(pair[1], make);
        _exit(0); /* the socket closes if there is none */
    }
    int r = child < 0 ? -errno : 0;
    close(pair[1]);
    if (r == 0)
        waitpid(child, NULL, 0);
    *ret_fd = pair[0];
    return r;
}

/* ---- its ids ---- */

static int run_helper(const char *program, pid_t pid, unsigned own, const char *file,
                      char **ret_why)
{
    _cleanup_free_ struct subid_range *ranges = NULL;
    size_t count = subid_read(file, geteuid(), &ranges);
    if (!count) {
        *ret_why = xasprintf("%s lends you none", file);
        return -ENOENT;
    }
    _cleanup_strv_ char **argv = subid_map_command(program, pid, own, ranges, count);
    _cleanup_buf_ struct buf output = {0};
    struct error why = {0};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stderr_to = &output;
    int r = spawn_run(&s, &why);
    buf_trim(&output);
    if (r != 0)
        *ret_why = xstrdup(r < 0 ? why.text : output.data ? output.data : program);
    return r == 0 ? 0 : -EPERM;
}

static int write_for(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return file_write_existing(path, text);
}

/* Without help a user may only lend himself. */
static int map_one(pid_t pid)
{
    char text[32];
    snprintf(text, sizeof(text), "0 %u 1", (unsigned)geteuid());
    int r = write_for(pid, "uid_map", text);
    if (r == 0)
        r = write_for(pid, "setgroups", "deny");
    snprintf(text, sizeof(text), "0 %u 1", (unsigned)getegid());
    return r == 0 ? write_for(pid, "gid_map", text) : r;
}

char *holder_advice(uid_t uid)
{
    const struct passwd *pw = getpwuid(uid);
    unsigned long u = subid_next_free("/etc/subuid"), g = subid_next_free("/etc/subgid");
    _cleanup_free_ char *helper = find_program("newuidmap");
    return xasprintf("%susermod --add-subuids %lu-%lu --add-subgids %lu-%lu %s",
                     helper ? "" : "apt-get install uidmap && ", u, u + 65535, g, g + 65535,
                     pw ? pw->pw_name : "USER");
}

static int map_ids(pid_t pid, char **ret_note, struct error *err)
{
    _cleanup_free_ char *why = NULL;
    /* A map can be written only once, so the one that may fail for want of ids is asked first. */
    _cleanup_free_ struct subid_range *groups = NULL;
    int r = subid_read("/etc/subgid", geteuid(), &groups) ? 0 : -ENOENT;
    if (r < 0)
        why = xstrdup("/etc/subgid lends you none");
    if (r == 0)
        r = run_helper("newuidmap", pid, geteuid(), "/etc/subuid", &why);
    if (r == 0) {
        r = run_helper("newgidmap", pid, getegid(), "/etc/subgid", &why);
        return r < 0 ? error_set(err, EPERM, "cannot use your subordinate gids: %s", why) : 0;
    }
    _cleanup_free_ char *advice = holder_advice(geteuid());
    *ret_note = xasprintf("no subordinate ids (%s): containers have one user only. The "
                          "administrator gives you more with `%s`",
                          why, advice);
    r = map_one(pid);
    return r < 0 ? error_errno(err, -r, "cannot map your own id into a user namespace") : 0;
}

/* ---- making ---- */

/* Switches by which hosts keep user namespaces from ordinary users. */
static const struct {
    const char *path, *bad, *command;
} switches[] = {
    {"/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"},
    {"/proc/sys/kernel/unprivileged_userns_clone", "0",
     "sysctl -w kernel.unprivileged_userns_clone=1"},
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
     "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
};

static int explain_unshare(int code, struct error *err)
{
    _cleanup_buf_ struct buf command = {0};
    for (size_t i = 0; i < ARRAY_LEN(switches); i++) {
        char line[32];
        if (file_read_line(switches[i].path, line, sizeof(line)) == 0 &&
            strcmp(line, switches[i].bad) == 0)
            buf_printf(&command, "%s%s", command.size ? " && " : "", switches[i].command);
    }
    if (!command.size)
        return error_errno(err, code,
                           "cannot make a user namespace, and no setting of this host says why: is "
                           "this process in a sandbox or a chroot?");
    return error_errno(err, code,
                       "this host keeps user namespaces from ordinary users; the administrator "
                       "enables them with `%s`",
                       command.data);
}

static int record_write(const char *path, pid_t pid, struct error *err)
{
    struct record r;
    struct stat user, mounts;
    char user_path[64], mount_path[64];
    snprintf(user_path, sizeof(user_path), "/proc/%d/ns/user", (int)pid);
    snprintf(mount_path, sizeof(mount_path), "/proc/%d/ns/mnt", (int)pid);
    if (process_identify(pid, &r.process) < 0 || stat(user_path, &user) < 0 ||
        stat(mount_path, &mounts) < 0)
        return error_errno(err, errno, "the holder of your namespaces is gone");
    _cleanup_free_ char *text =
        xasprintf("%d %" PRIu64 " %ju %ju\n", (int)pid, r.process.start_ticks,
                  (uintmax_t)user.st_ino, (uintmax_t)mounts.st_ino);
    return file_write_atomic(path, text, strlen(text), 0600, false, err);
}

/* `make`: with new namespaces; otherwise it stays in ours, which we have just joined. */
static int start(const char *path, bool make, char **ret_note, struct error *err)
{
    _cleanup_close_ int fd = -1;
    int r = start_holder(&fd, make);
    pid_t pid = r < 0 ? r : hear(fd);
    if (pid < 0)
        return make ? explain_unshare(-pid, err)
                    : error_errno(err, -pid, "cannot hold your namespaces");
    r = make ? map_ids(pid, ret_note, err) : 0;
    if (r < 0)
        return r;
    tell(fd, 0);
    r = hear(fd);
    if (r < 0)
        return error_errno(err, -r, "cannot set up your namespaces");
    r = record_write(path, pid, err);
    if (r == 0)
        tell(fd, 0);
    /* The socket closes at its exec: only then others may look at it. */
    hear(fd);
    return r;
}

/* What skopeo wants to know of us, to use this user's files and no namespace of its own. */
static void tell_programs(uid_t uid)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", (unsigned)uid);
    setenv("_CONTAINERS_USERNS_CONFIGURED", "done", 1);
    setenv("_CONTAINERS_ROOTLESS_UID", number, 1);
}

static int become_root(const char *directory, struct error *err)
{
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return error_errno(err, errno, "cannot become root of your user namespace");
    if (directory && chdir(directory) < 0)
        return error_errno(err, errno, "cannot come back to %s", directory);
    return 0;
}

/* ---- when the administrator has lent ids meanwhile ---- */

static bool has_one_id(pid_t pid)
{
    char path[64], map[64];
    unsigned inside, outside, count;
    snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
    return file_read_line(path, map, sizeof(map)) == 0 &&
           sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 && count == 1 &&
           !strchr(map, '\n');
}

static bool is_lent(const char *file)
{
    _cleanup_free_ struct subid_range *ranges = NULL;
    return subid_read(file, geteuid(), &ranges) > 0;
}

static bool lives_alone(const struct record *r)
{
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        if (!isdigit((unsigned char)e->d_name[0]) || atoi(e->d_name) == r->process.pid)
            continue;
        _cleanup_close_ int fd = open_namespace(e->d_name, "user", r->user_ns);
        if (fd >= 0)
            return false;
    }
    return true;
}

/* A map cannot be changed; namespaces that nobody uses can be made anew. */
static void give_up_outdated(const struct record *r)
{
    _cleanup_free_ char *helper = find_program("newuidmap");
    if (!helper || !process_alive(&r->process) || !has_one_id(r->process.pid) ||
        !is_lent("/etc/subuid") || !is_lent("/etc/subgid") || !lives_alone(r))
        return;
    _cleanup_close_ int fd = process_open(&r->process);
    if (fd < 0 || syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
        return;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    poll(&p, 1, 5000);
}

static int join_or_make(const char *path, char **ret_note, struct error *err)
{
    struct record r;
    bool known = record_read(path, &r);
    if (known)
        give_up_outdated(&r);
    if (known && join_holder(&r) == 0)
        return 0;
    if (known && join_survivor(&r) == 0)
        return start(path, false, ret_note, err);
    int n = start(path, true, ret_note, err);
    if (n < 0)
        return n;
    n = record_read(path, &r) ? join_holder(&r) : -ESRCH;
    return n < 0 ? error_errno(err, -n, "cannot join your namespaces") : 0;
}

int holder_enter(char **ret_note, struct error *err)
{
    _cleanup_free_ char *directory = getcwd(NULL, 0);
    _cleanup_free_ char *place = NULL;
    tell_programs(geteuid());
    int r = store_private_runroot(&place, err);
    if (r < 0)
        return r;
    _cleanup_free_ char *path = path_join(place, "holder");
    _cleanup_free_ char *lock = path_join(place, "holder.lock");
    _cleanup_close_ int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return error_errno(err, errno, "cannot lock %s", lock);
    r = join_or_make(path, ret_note, err);
    return r < 0 ? r : become_root(directory, err);
}

int holder_execute_again(char *const *argv, struct error *err)
{
    execve("/proc/self/exe", argv, environ);
    return error_errno(err, errno, "cannot execute /proc/self/exe");
}
