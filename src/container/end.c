#include "container/end.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container/monitor.h"
#include "container/runtime.h"

#define SECONDS(n) ((n)*INT64_C(1000000000))

int end_signal(const struct process *p, int signal)
{
    _cleanup_close_ int fd = process_open(p);
    if (fd < 0)
        return fd;
    return syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) < 0 ? -errno : 0;
}

int end_wait(struct container *c, const struct process *init, int64_t timeout_ns)
{
    _cleanup_close_ int fd = process_open(init);
    if (fd >= 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n;
        do
            n = poll(&p, 1, timeout_ns < 0 ? -1 : (int)(timeout_ns / 1000000));
        while (n < 0 && errno == EINTR);
        if (n == 0)
            return -ETIMEDOUT;
    }
    monitor_exit_wait(c, SECONDS(5));
    return 0;
}

int end_kill(struct container *c, const struct container_status *s, struct error *err)
{
    int r = end_signal(&s->init, SIGKILL);
    if (r < 0 && r != -ESRCH)
        return error_errno(err, -r, "cannot kill container %s", c->id);
    if (s->state == CONTAINER_PAUSED)
        runtime_resume(c, NULL);
    if (end_wait(c, &s->init, SECONDS(10)) < 0)
        return error_set(err, ETIMEDOUT,
                         "container %s does not die of SIGKILL: its process %d hangs "
                         "in the kernel",
                         c->id, (int)s->init.pid);
    return 0;
}
