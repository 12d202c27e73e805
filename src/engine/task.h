/* A process of the tree, in a dump (what was seen of it) and in a restore (what it is to be). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process.h"
#include "engine/procfs.h"
#include "engine/puppet.h"

enum task_state {
    TASK_ALIVE,
    TASK_STOPPED, /* by a job-control signal */
    TASK_ZOMBIE,
};

/* What processes may share without being threads, see sharing.h. */
enum share { SHARE_MEMORY, SHARE_FILES, SHARE_DIRECTORIES, SHARE_ACTIONS, SHARE_KINDS };

struct thread {
    struct puppet puppet;
    struct proc_status status;
    struct registers registers; /* a restore: those it is to have */
    CoreEntry *core;            /* in the job's arena */
};

struct task {
    /* In our pid namespace. In a dump that of another thread if the first one has ended: there
     * /proc shows what the process has. */
    pid_t pid;
    pid_t process; /* a dump: what others know it by */
    pid_t vpid;    /* in the container's; likewise the others */
    pid_t parent, group, session;
    struct task *first_child, *next_sibling;
    struct task *parent_task;         /* NULL: init, or its parent is outside (it came by exec) */
    struct task *shared[SHARE_KINDS]; /* the first process that has the same; NULL: itself */
    enum task_state state;
    int stop_signal;
    struct process_stat stat;
    struct proc_status status;
    struct thread *threads; /* the leader first; none for a zombie. A dump: not a dead leader */
    bool leader_ended;      /* while other threads go on */
    int leader_status;      /* as wait(2) would tell it */
    size_t thread_count;
    /* The images of the process, in the job's arena. */
    MmEntry *mm;
    remote_addr vdso_end;
    FsEntry *fs;
    const TaskKobjIdsEntry *ids; /* a restore: what it shares with whom */
    FdinfoEntry **fds;
    size_t fd_count;
    bool wants_twin; /* a dump, see twin.h */
    pid_t twin, twin_vpid;
    struct page_range *pages;
    struct page_range *guards; /* a restore: MADV_GUARD_INSTALL */
    size_t guard_count;
    size_t page_range_count;
    bool *cradles; /* a restore: those that are its own, see cradles.h */
    struct page_range *forgotten;
    size_t forgotten_count;
    uint32_t files_id, pages_id;
};

struct tree {
    struct task *tasks; /* parents before children, init first */
    size_t count;
    struct task **by_vpid, **by_pid; /* see tree_index */
};

/* For the two that find; to be called again when numbers have changed. */
void tree_index(struct tree *tree, struct arena *arena);
/* Makes parents and children known to each other. */
void tree_link(struct tree *tree);
struct task *tree_find(const struct tree *tree, pid_t vpid);
/* By our pid, of the process or of the thread that stands for it. */
struct task *tree_find_pid(const struct tree *tree, pid_t pid);
