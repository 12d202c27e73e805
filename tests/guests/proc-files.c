/* Files of /proc and /sys: of this process, of a child, of a thread; directories, half read; the
 * namespaces; and a child that lives in a root of its own. */
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "guest.h"

static int own, others, tasks, thread_name, settings, directory, jail_file, root_fd;
static int namespaces[7];
static DIR *half_read;
static struct guest_child child;
static pid_t tid;

static const char *const namespace_names[] = {
    "ipc", "mnt", "net", "pid", "user", "uts", "pid_for_children"};

static void *run_thread(void *unused)
{
    (void)unused;
    __atomic_store_n(&tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return NULL;
}

static void start_thread(void)
{
    pthread_t t;
    guest_need(pthread_create(&t, NULL, run_thread, NULL) == 0, "a thread");
    while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
        guest_sleep(MILLISECOND);
}

static void expect(int fd, const char *text, const char *what)
{
    char got[4096] = "";
    ssize_t n = pread(fd, got, sizeof(got) - 1, 0);
    guest_check(n > 0 && strstr(got, text), "%s does not say '%s': '%.60s'", what, text, got);
}

static void verify_namespaces(void)
{
    for (size_t i = 0; i < COUNT_OF(namespace_names); i++) {
        char path[64];
        struct stat is, should;
        snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_names[i]);
        guest_check(fstat(namespaces[i], &is) == 0 && stat(path, &should) == 0 &&
                        is.st_ino == should.st_ino && is.st_dev == should.st_dev,
                    "the descriptor of the %s namespace leads elsewhere", namespace_names[i]);
    }
}

static void verify_half_read(void)
{
    bool seen = false;
    rewinddir(half_read);
    for (struct dirent *e; (e = readdir(half_read));)
        seen = seen || strcmp(e->d_name, "0") == 0;
    guest_check(seen, "/proc/self/fd has no descriptor 0");
    rewinddir(half_read);
    readdir(half_read);
}

static void verify(void)
{
    char text[64];
    snprintf(text, sizeof(text), "Pid:\t%d\n", getpid());
    expect(own, text, "/proc/self/status");
    snprintf(text, sizeof(text), "%d (", child.pid);
    expect(others, text, "the child's stat");
    expect(thread_name, "proc-files", "the thread's name");
    expect(settings, "\n", "a setting of the kernel");
    struct stat st;
    snprintf(text, sizeof(text), "%d", tid);
    guest_check(fstatat(tasks, text, &st, 0) == 0, "the thread is not in the list");
    guest_check(fstatat(directory, "status", &st, 0) == 0, "the directory of a process is another");
    verify_half_read();
    verify_namespaces();
    guest_ask(&child);
}

static void verify_jail(void)
{
    static bool there;
    char cwd[64] = "", text[8] = "";
    if (!there) {
        jail_file = open("/tmp/jail/inside", O_RDWR | O_CREAT | O_TRUNC, 0600);
        guest_check(write(jail_file, "jailed", 6) == 6, "write");
        root_fd = open("/", O_RDONLY | O_DIRECTORY);
        guest_check(chroot("/tmp/jail") == 0 && chdir("/deep") == 0, "chroot: %s", strerror(errno));
        there = true;
    }
    struct stat st;
    guest_check(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/deep") == 0, "it works in %s", cwd);
    guest_check(stat("/inside", &st) == 0 && stat("/proc", &st) < 0, "it left its root");
    guest_check(pread(jail_file, text, 6, 0) == 6 && strcmp(text, "jailed") == 0,
                "its file is another");
    guest_check(fstatat(root_fd, "tmp/jail/deep", &st, 0) == 0, "the old root is lost");
}

static int need(const char *path, int flags)
{
    int fd = open(path, flags);
    guest_need(fd >= 0, path);
    return fd;
}

int main(void)
{
    char path[64];
    guest_need((mkdir("/tmp/jail", 0700) == 0 || errno == EEXIST) &&
                   (mkdir("/tmp/jail/deep", 0700) == 0 || errno == EEXIST),
               "directories");
    child = guest_fork(verify_jail);
    guest_ask(&child);
    start_thread();
    own = need("/proc/self/status", O_RDONLY);
    snprintf(path, sizeof(path), "/proc/%d/stat", child.pid);
    others = need(path, O_RDONLY);
    snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
    thread_name = need(path, O_RDWR);
    tasks = need("/proc/self/task", O_RDONLY | O_DIRECTORY);
    directory = need("/proc/1", O_PATH | O_DIRECTORY);
    settings = need("/proc/sys/kernel/ostype", O_RDONLY);
    need("/sys/kernel", O_RDONLY | O_DIRECTORY);
    need("/proc", O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < COUNT_OF(namespace_names); i++) {
        snprintf(path, sizeof(path), "/proc/self/ns/%s", namespace_names[i]);
        namespaces[i] = need(path, O_RDONLY | O_CLOEXEC);
    }
    half_read = opendir("/proc/self/fd");
    guest_need(half_read && readdir(half_read), "a directory");
    guest_serve(verify);
}
