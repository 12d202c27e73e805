#include "engine/shield.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/io.h"
#include "base/spawn.h"

void shield_us(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    setsid();
}

int shield(int (*run)(void *context, struct error *err), void *context, struct error *err)
{
    int ends[2];
    struct error e = {0};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot start a process");
    _cleanup_close_ int report = ends[0], answer = ends[1];
    pid_t id = fork();
    if (id == 0) {
        shield_us();
        run(context, &e);
        _exit(write_full(answer, &e, sizeof(e)) < 0);
    }
    if (id < 0)
        return error_errno(err, errno, "cannot start a process");
    close(take_fd(answer));
    ssize_t n = read_full(report, &e, sizeof(e));
    spawn_wait(id);
    if (n != sizeof(e))
        return error_set(err, EIO, "a process of firn's was killed");
    e.text[sizeof(e.text) - 1] = 0;
    if (e.code)
        *err = e;
    return -e.code;
}
