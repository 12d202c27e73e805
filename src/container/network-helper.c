/* Private networks of ordinary users: a program of theirs that lives as long as the container. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/end.h"
#include "container/firn.h"
#include "container/netns.h"
#include "container/network-driver.h"
#include "container/pasta.h"
#include "container/slirp4netns.h"

#define DEVICE "/dev/net/tun"

static int check_device(struct error *err)
{
    _cleanup_close_ int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        return 0;
    if (errno == EACCES || errno == EPERM)
        return error_errno(
            err, errno,
            "a private network needs " DEVICE
            ", which is closed to you: the administrator opens it with `chmod 0666 " DEVICE
            "`; --network host and none work without");
    return error_errno(err, errno,
                       "a private network needs " DEVICE
                       ": the administrator provides it with `modprobe tun`; --network host and "
                       "none work without");
}

/* The same words for a busy port, whatever the helper would say. */
static int check_ports(const struct container *c, struct error *err)
{
    struct port_sockets sockets = {0};
    int r = ports_reserve(network_ports(c), &sockets, err);
    port_sockets_close(&sockets);
    return r;
}

static int check(const struct container *c, struct error *err)
{
    int r = check_device(err);
    return r < 0 ? r : check_ports(c, err);
}

/* Remembered at once, and what it set up is looked at. */
static int settle(struct network_job *job, const struct process *p, struct error *err)
{
    struct json *helper = js_object(), *addresses = NULL;
    js_set(helper, "pid", js_int(p->pid));
    js_set(helper, "start", js_int((int64_t)p->start_ticks));
    js_set(job->state, "helper", helper);
    int r = netns_addresses(job->netns, &addresses, err);
    if (r == 0)
        js_set(job->state, "addresses", addresses);
    return r;
}

static char *log_name(const struct network_job *job)
{
    return xasprintf("%s.log", job->c->id);
}

static int pasta_up(struct network_job *job, struct error *err)
{
    struct process p = {0};
    _cleanup_free_ char *name = log_name(job), *log = path_join(job->directory, name);
    int r = check(job->c, err);
    if (r == 0)
        r = pasta_start(job->netns, network_ports(job->c), log, &p, err);
    return r < 0 ? r : settle(job, &p, err);
}

static int slirp4netns_up(struct network_job *job, struct error *err)
{
    struct process p = {0};
    _cleanup_free_ char *log = log_name(job);
    _cleanup_free_ char *socket = xasprintf("%s.sock", job->c->id);
    int r = check(job->c, err);
    if (r < 0)
        return r;
    r = slirp4netns_start(job->netns, network_ports(job->c), job->directory, socket, log, &p, err);
    struct error ignored;
    int settled = p.pid ? settle(job, &p, r < 0 ? &ignored : err) : 0;
    return r < 0 ? r : settled;
}

/* Has it the namespace's path as an argument? */
static bool serves(const char *pid, const char *netns)
{
    _cleanup_free_ char *path = xasprintf("/proc/%s/cmdline", pid);
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, &text, NULL) < 0)
        return false;
    for (size_t at = 0; at < text.size; at += strlen(text.data + at) + 1)
        if (strcmp(text.data + at, netns) == 0)
            return true;
    return false;
}

/* One that was started by a firn that was killed before it could note its pid. */
static void find_unnoted(const char *netns, struct process *ret)
{
    _cleanup_closedir_ DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));)
        if (isdigit((unsigned char)e->d_name[0]) && serves(e->d_name, netns) &&
            process_identify(atoi(e->d_name), ret) == 0)
            return;
}

static int down(struct network_job *job, struct error *err)
{
    static const char *const files[] = {"log", "sock"};
    const struct json *helper = js_get(job->state, "helper");
    struct process p = {.pid = (pid_t)js_get_int(helper, "pid", 0),
                        .start_ticks = (uint64_t)js_get_int(helper, "start", 0)};
    if (!p.pid)
        find_unnoted(job->netns, &p);
    _cleanup_close_ int fd = p.pid ? process_open(&p) : -1;
    if (fd >= 0 && end_signal(&p, SIGKILL) == 0) {
        struct pollfd gone = {.fd = fd, .events = POLLIN};
        poll(&gone, 1, 5000);
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        _cleanup_free_ char *path = xasprintf("%s.%s", job->netns, files[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            return error_errno(err, errno, "cannot remove %s", path);
    }
    return 0;
}

const struct network_driver network_pasta = {
    .mode = "pasta", .is_helper = true, .up = pasta_up, .down = down};
const struct network_driver network_slirp4netns = {
    .mode = "slirp4netns", .is_helper = true, .up = slirp4netns_up, .down = down};
