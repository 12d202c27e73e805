/* Processes that share with others without being their threads: descriptors (CLONE_FILES),
 * directories (CLONE_FS), memory and signal actions (CLONE_VM, CLONE_SIGHAND); with the parent,
 * with a sibling (CLONE_PARENT), and with another signal at the end than SIGCHLD. */
#include <sched.h>
#include <sys/stat.h>

#include "guest.h"

#define STACK (64 * 1024)

enum { NOTHING, OPEN, CHANGE_DIRECTORY, SET_ACTION, DIE };

/* One child each; asked through memory that all share. */
struct sharer {
    const char *what;
    int flags;
    volatile int command;
    volatile int done;
    volatile int fd; /* it has opened */
    pid_t pid;
};

enum { FILES, FS, SIBLING, VM, VM_ALONE, SHARERS };
static struct sharer *all;
static volatile int common; /* in memory that CLONE_VM shares, and fork copies */

static void handler(int signal)
{
}

static int work(struct sharer *s)
{
    switch (s->command) {
    case OPEN:
        common++;
        s->fd = open("/proc/self/status", O_RDONLY);
        return s->fd < 0;
    case CHANGE_DIRECTORY:
        umask(0111);
        return chdir("/proc");
    case SET_ACTION:
        return signal(SIGUSR2, handler) == SIG_ERR;
    case DIE:
        _exit(7);
    default:
        return 0;
    }
}

__attribute__((noreturn)) static void serve(struct sharer *s)
{
    for (;;) {
        while (s->command == NOTHING)
            guest_sleep(MILLISECOND);
        int failed = work(s);
        s->command = NOTHING;
        s->done = failed ? -1 : 1;
    }
}

static int live(void *context)
{
    serve(context);
}

/* The sibling is born of the child that shares descriptors. */
static int live_and_bear(void *context)
{
    static char stack[STACK];
    int flags = CLONE_FILES | CLONE_PARENT;
    all[SIBLING].pid = clone(live, stack + STACK, flags, &all[SIBLING]);
    serve(context);
}

static bool ask(struct sharer *s, int command)
{
    s->done = 0;
    s->command = command;
    for (int i = 0; i < 5000 && !s->done; i++)
        guest_sleep(MILLISECOND);
    return s->done == 1;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void verify_one(struct sharer *s)
{
    int before = common;
    mode_t mask = umask(022);
    guest_check(mask == 022, "the umask is %o before %s", mask, s->what);
    guest_check(chdir("/tmp") == 0 && signal(SIGUSR2, SIG_DFL) == SIG_DFL, "the preparation");
    if (!ask(s, OPEN) || !ask(s, CHANGE_DIRECTORY) || !ask(s, SET_ACTION)) {
        guest_fail("%s does not answer", s->what);
        return;
    }
    char cwd[64] = "";
    bool files = s->flags & CLONE_FILES, fs = s->flags & CLONE_FS, vm = s->flags & CLONE_VM;
    bool actions = s->flags & CLONE_SIGHAND;
    guest_check(is_open(s->fd) == files, "%s: descriptor %d", s->what, s->fd);
    guest_check(getcwd(cwd, sizeof(cwd)) && (strcmp(cwd, "/proc") == 0) == fs, "%s: directory %s",
                s->what, cwd);
    guest_check((umask(022) == 0111) == fs, "%s: umask", s->what);
    guest_check((common == before + 1) == vm, "%s: memory", s->what);
    guest_check((signal(SIGUSR2, SIG_DFL) == handler) == actions, "%s: signal actions", s->what);
    if (files)
        close(s->fd);
}

/* Its end is told by the signal it was made with: only __WALL finds it. */
static void verify_end(void)
{
    static char stack[STACK];
    static struct sharer *silent;
    if (silent) {
        int status = 0;
        guest_check(waitpid(silent->pid, &status, WNOHANG) < 0 && errno == ECHILD,
                    "the silent child is found by wait");
        silent->command = DIE;
        guest_check(waitpid(silent->pid, &status, __WALL) == silent->pid &&
                        WEXITSTATUS(status) == 7,
                    "the silent child ends with %x", status);
    } else {
        silent = &all[SHARERS];
    }
    silent->command = NOTHING;
    silent->pid = clone(live, stack + STACK, 0, silent);
    guest_check(silent->pid > 0, "no silent child");
}

static void verify(void)
{
    int status;
    for (int i = 0; i < SHARERS; i++)
        verify_one(&all[i]);
    for (int i = 0; i < SHARERS; i++)
        guest_check(waitpid(all[i].pid, &status, WNOHANG | __WALL) == 0, "%s is no child",
                    all[i].what);
    verify_end();
}

int main(void)
{
    static char stacks[SHARERS][STACK];
    static const struct sharer made[SHARERS] = {
        [FILES] = {"who shares descriptors", CLONE_FILES | SIGCHLD},
        [FS] = {"who shares directories", CLONE_FS | SIGCHLD},
        [SIBLING] = {"a sibling", CLONE_FILES},
        [VM] = {"who shares all but descriptors", CLONE_VM | CLONE_FS | CLONE_SIGHAND | SIGCHLD},
        [VM_ALONE] = {"who shares memory", CLONE_VM | SIGCHLD},
    };
    umask(022);
    size_t size = (SHARERS + 1) * sizeof(*all);
    all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    guest_need(all != MAP_FAILED, "memory");
    memcpy(all, made, sizeof(made));
    for (int i = 0; i < SHARERS; i++) {
        if (i == SIBLING)
            continue;
        all[i].pid =
            clone(i == FILES ? live_and_bear : live, stacks[i] + STACK, all[i].flags, &all[i]);
        guest_need(all[i].pid > 0, all[i].what);
    }
    while (!*(volatile pid_t *)&all[SIBLING].pid)
        guest_sleep(MILLISECOND);
    guest_serve(verify);
}
