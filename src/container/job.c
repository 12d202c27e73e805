#include "container/job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container/firn.h"
#include "store/database.h"
#include "store/store.h"

/* What both processes see. */
struct shared {
    int outcome;
    bool done;
    struct error error;
    char result[];
};

bool job_cancelled(void *context)
{
    const struct job *job = context;
    struct pollfd p = {.fd = job->caller_fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static struct firn_options same_options(const struct firn *firn)
{
    return (struct firn_options){
        .root = firn->root,
        .runroot = firn->runroot,
        .runtime = firn->runtime_option,
        .conmon = firn->conmon_option,
        .cgroup_manager = firn->cgroup_manager,
        .log_level = firn->log_level_name,
        .runtime_flags = firn->runtime_flags,
    };
}

static void work_in_child(struct firn *firn, job_work work, const void *request, int caller_fd,
                          struct shared *s)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGTSTP};
    setsid();
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        signal(ignored[i], SIG_IGN);
    struct firn_options options = same_options(firn);
    struct job job = {.request = request, .result = s->result, .caller_fd = caller_fd};
    s->outcome = firn_open(&options, &job.firn, &s->error);
    if (s->outcome == 0) {
        s->outcome = work(&job, &s->error);
        firn_close(job.firn);
    }
    s->done = true;
    fflush(NULL);
    _exit(0);
}

static int collect(pid_t child, const struct shared *s, void *result, size_t size,
                   struct error *err)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "cannot wait for the job");
    memcpy(result, s->result, size);
    if (!s->done)
        return error_set(err, EIO,
                         "the process at work was killed by signal %d: look at the container with "
                         "`firn ps -a`",
                         WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    if (s->outcome < 0 && err)
        *err = s->error;
    return s->outcome;
}

int job_run(struct firn *firn, job_work work, const void *request, void *result, size_t size,
            struct error *err)
{
    int ends[2];
    size_t total = sizeof(struct shared) + size;
    struct shared *s = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        return error_errno(err, errno, "cannot start the job");
    if (pipe2(ends, O_CLOEXEC) < 0) {
        int code = errno;
        munmap(s, total);
        return error_errno(err, code, "cannot start the job");
    }
    fflush(NULL);
    database_pause(firn->store->db);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        work_in_child(firn, work, request, ends[0], s);
    }
    int code = errno;
    close(ends[0]);
    int r = child < 0 ? error_errno(err, code, "cannot start the job")
                      : collect(child, s, result, size, err);
    close(ends[1]);
    munmap(s, total);
    struct error second;
    int back = database_resume(firn->store->db, r == 0 ? err : &second);
    return r < 0 ? r : back;
}
