/* Has a child, or a thread, in a state that a checkpoint cannot keep; the argument says which. The
 * checkpoint must be refused, and this program must not notice. */
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "guest.h"

static pid_t child;

/* ---- what becomes of the child ---- */

static void rest(void)
{
    for (;;)
        pause();
}

static int unshare_uts(void)
{
    return unshare(CLONE_NEWUTS);
}

static int unshare_ipc(void)
{
    return unshare(CLONE_NEWIPC);
}

static int unshare_net(void)
{
    return unshare(CLONE_NEWNET);
}

static int unshare_mount(void)
{
    return unshare(CLONE_NEWNS);
}

static int unshare_cgroup(void)
{
    return unshare(CLONE_NEWCGROUP);
}

static int unshare_user(void)
{
    return unshare(CLONE_NEWUSER);
}

/* Its child is init there. */
static int unshare_pid(void)
{
    if (unshare(CLONE_NEWPID) < 0)
        return -1;
    pid_t inner = fork();
    if (inner == 0)
        rest();
    return inner > 0 ? 0 : -1;
}

static int unshare_time(void)
{
    return unshare(CLONE_NEWTIME);
}

/* Dispatched to a handler: all but what the selector lets pass, which is all. */
static int dispatch(void)
{
    static char selector;
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector);
}

static int be_strict(void)
{
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
}

/* Somebody is asked by a descriptor whether a call may be made. */
static int be_asked(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

/* It may not make sockets in any directory. */
static int restrict_self(void)
{
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_SOCK};
    int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
    if (fd < 0)
        return -1;
    int r = (int)syscall(SYS_landlock_restrict_self, fd, 0);
    close(fd);
    return r;
}

/* As an ordinary program does it. */
static int restrict_for_good(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -1 : restrict_self();
}

static int add_key(int ring)
{
    return (int)syscall(SYS_add_key, "user", "firn:guest", "secret", 6, ring);
}

static int hold_session_key(void)
{
    return add_key(KEY_SPEC_SESSION_KEYRING);
}

static int hold_process_key(void)
{
    return add_key(KEY_SPEC_PROCESS_KEYRING);
}

static int hold_thread_key(void)
{
    return add_key(KEY_SPEC_THREAD_KEYRING);
}

/* The grandchild shares with us what the child does not. */
static int share_across(void)
{
    pid_t inner = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (inner == 0)
        rest();
    return inner > 0 ? unshare(CLONE_FILES) : -1;
}

/* ---- and of a thread ---- */

static void *thread_of(void *context)
{
    if (unshare((int)(intptr_t)context) < 0)
        _exit(1);
    child = (pid_t)syscall(SYS_gettid);
    rest();
    return NULL;
}

static const struct {
    const char *name;
    int (*become)(void);
    int clone_flags, thread_flags;
} states[] = {
    {"uts", unshare_uts, 0, 0},
    {"ipc", unshare_ipc, 0, 0},
    {"net", unshare_net, 0, 0},
    {"mount", unshare_mount, 0, 0},
    {"cgroup", unshare_cgroup, 0, 0},
    {"user", unshare_user, 0, 0},
    {"pid", unshare_pid, 0, 0},
    {"time", unshare_time, 0, 0},
    {"dispatch", dispatch, 0, 0},
    {"strict", be_strict, 0, 0},
    {"notified", be_asked, 0, 0},
    {"landlock", restrict_for_good, 0, 0},
    {"landlock-by-right", restrict_self, 0, 0},
    {"session-key", hold_session_key, 0, 0},
    {"process-key", hold_process_key, 0, 0},
    {"thread-key", hold_thread_key, 0, 0},
    {"across", share_across, CLONE_FILES, 0},
    {"thread-files", NULL, 0, CLONE_FILES},
    {"thread-directory", NULL, 0, CLONE_FS},
    {"thread-net", NULL, 0, CLONE_NEWNET},
    {"traced", NULL, 0, 0},
};

static void make_child(int (*become)(void), int flags)
{
    int ready[2], silent[2];
    char c = '-';
    guest_need(pipe(ready) == 0 && pipe(silent) == 0, "pipes");
    child = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        if (become && become != be_strict && become() < 0)
            _exit(1);
        if (write(ready[1], "+", 1) != 1)
            _exit(2);
        if (become == be_strict && become() < 0)
            _exit(3);
        for (char d; become == be_strict && read(silent[0], &d, 1) == 1;)
            ;
        rest();
    }
    guest_need(child > 0 && read(ready[0], &c, 1) == 1 && c == '+', "a child");
    guest_sleep(50 * MILLISECOND);
}

static void make(size_t i)
{
    pthread_t thread;
    if (!states[i].thread_flags) {
        make_child(states[i].become, states[i].clone_flags);
        if (strcmp(states[i].name, "traced") == 0)
            guest_need(ptrace(PTRACE_SEIZE, child, 0, 0) == 0, "a tracer");
        return;
    }
    guest_need(pthread_create(&thread, NULL, thread_of, (void *)(intptr_t)states[i].thread_flags) ==
                   0,
               "a thread");
    while (!*(volatile pid_t *)&child)
        guest_sleep(MILLISECOND);
}

static void verify(void)
{
    guest_check(child > 0 && syscall(SYS_tkill, child, 0) == 0, "%d is gone", child);
}

int main(int argc, char **argv)
{
    size_t i = 0;
    while (argc > 1 && i < COUNT_OF(states) && strcmp(argv[1], states[i].name) != 0)
        i++;
    guest_need(argc > 1 && i < COUNT_OF(states), "what is not known");
    make(i);
    guest_serve(verify);
}
