#include "execution/recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/firn.h"
#include "execution/place.h"

bool recover_is_supervised(const struct execution *e)
{
    _cleanup_close_ int fd = place_lock_known(e);
    return fd == -EWOULDBLOCK;
}

int recover_supervisor(const struct execution *e, struct error *err)
{
    _cleanup_free_ char *log = place_run(e, "log");
    _cleanup_strv_ char **argv = strv_copy(e->firn->exit_command);
    if (recover_is_supervised(e))
        return 0;
    int r = place_make_run(e, err);
    if (r < 0)
        return r;
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
    pid_t pid = spawn_orphan(&s, err);
    return pid < 0 ? pid : 0;
}

/* What a start leaves that was killed before it wrote the execution down. */
static void sweep(struct firn *firn, const struct execution_list *list)
{
    _cleanup_free_ char *path = path_join(firn->runroot, "executions");
    _cleanup_closedir_ DIR *dir = opendir(path);
    for (struct dirent *d; dir && (d = readdir(dir));) {
        const struct execution e = {.firn = firn, .id = d->d_name};
        bool known = !is_sha256_hex(d->d_name);
        for (size_t i = 0; !known && i < list->count; i++)
            known = strcmp(list->items[i]->id, d->d_name) == 0;
        _cleanup_close_ int lock = known ? -1 : place_lock_known(&e);
        _cleanup_execution_ struct execution *there = NULL;
        if (lock >= 0 && execution_lookup(firn, d->d_name, &there, NULL) < 0)
            place_remove_run(&e);
    }
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
    if (r == 0)
        sweep(firn, &list);
    return r;
}
