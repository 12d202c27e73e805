/* A tree of processes: sessions, process groups, orphans, and who is whose parent. */
#include <sys/prctl.h>

#include "guest.h"

enum { LEADER, IN_GROUP, IN_SESSION, ORPHAN, LATE_GROUP, COUNT };

static struct shared {
    struct {
        pid_t pid, parent, group, session;
    } at[COUNT];
    unsigned ready;
} * shared;

static void note(int who)
{
    shared->at[who].pid = getpid();
    __atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pause();
}

static void child_of_orphan_maker(void)
{
    if (fork() == 0) {
        setpgid(0, 0);
        while (getppid() != 1 && getppid() != shared->at[LEADER].parent)
            guest_sleep(MILLISECOND);
        note(ORPHAN);
    }
    _exit(0);
}

/* A session of its own with two processes in different groups. */
static void session(void)
{
    setsid();
    if (fork() == 0)
        note(IN_SESSION);
    if (fork() == 0) {
        setpgid(0, 0);
        note(LATE_GROUP);
    }
    note(LEADER);
}

static void read_stat(pid_t pid, pid_t *parent, pid_t *group, pid_t *sid)
{
    char path[64], text[1024] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    *parent = *group = *sid = -1;
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
        sscanf(strrchr(text, ')') + 1, " %*c %d %d %d", parent, group, sid);
    close(fd);
}

static void verify(void)
{
    for (int i = 0; i < COUNT; i++) {
        pid_t parent, group, sid;
        read_stat(shared->at[i].pid, &parent, &group, &sid);
        guest_check(parent == shared->at[i].parent, "process %d has parent %d, not %d",
                    shared->at[i].pid, parent, shared->at[i].parent);
        guest_check(group == shared->at[i].group, "process %d has group %d, not %d",
                    shared->at[i].pid, group, shared->at[i].group);
        guest_check(sid == shared->at[i].session, "process %d has session %d, not %d",
                    shared->at[i].pid, sid, shared->at[i].session);
    }
    pid_t extra = fork();
    if (extra == 0)
        _exit(5);
    int status = 0;
    guest_check(waitpid(extra, &status, 0) == extra && WEXITSTATUS(status) == 5,
                "a new child cannot be waited for");
}

int main(void)
{
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    guest_need(shared != MAP_FAILED, "shared memory");
    shared->at[LEADER].parent = getpid(); /* orphans may come here */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (fork() == 0)
        session();
    if (fork() == 0) {
        setpgid(0, 0);
        note(IN_GROUP);
    }
    pid_t maker = fork();
    if (maker == 0)
        child_of_orphan_maker();
    waitpid(maker, NULL, 0);
    guest_need(guest_grows(&shared->ready, COUNT - 1), "the tree");
    for (int i = 0; i < COUNT; i++)
        read_stat(shared->at[i].pid, &shared->at[i].parent, &shared->at[i].group,
                  &shared->at[i].session);
    guest_serve(verify);
}
