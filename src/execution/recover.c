#include "execution/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/firn.h"
#include "execution/place.h"

bool recover_is_supervised(const struct execution *e)
{
    _cleanup_close_ int fd = place_lock(e, NULL);
    return fd == -EWOULDBLOCK;
}

/* It belongs to nobody: a child of ours would die with our session, or stay as a zombie. */
static int spawn_orphan(const struct spawn *s, struct error *err)
{
    pid_t between = fork();
    if (between == 0) {
        pid_t pid = spawn_start(s, NULL);
        _exit(pid < 0 ? 1 : 0);
    }
    if (between < 0)
        return error_errno(err, errno, "cannot start a supervisor");
    return spawn_wait(between) == 0 ? 0 : error_set(err, EAGAIN, "cannot start a supervisor");
}

int recover_supervisor(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *log = place_run(e, "log");
    _cleanup_strv_ char **argv = strv_copy(e->firn->exit_command);
    if (recover_is_supervised(e))
        return 0;
    strv_add(&argv, "execution");
    strv_add(&argv, "supervise");
    strv_add(&argv, e->id);
    _cleanup_close_ int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", log);
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stdout_fd = fd;
    s.stderr_fd = fd;
    s.cwd = "/";
    s.new_session = true;
    return spawn_orphan(&s, err);
}

int recover_all(struct firn *firn, struct error *err)
{
    _cleanup_execution_list_ struct execution_list list = {0};
    int r = execution_list_all(firn, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        struct error one = {0};
        if (!execution_is_over(list.items[i]) && recover_supervisor(list.items[i], &one) < 0)
            firn_log(firn, LOG_LEVEL_ERROR, "execution %s: %s", list.items[i]->id, one.text);
    }
    return r;
}
