#include "container/slirp4netns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"

enum { READY_FD = 3, READY_TIMEOUT_MS = 20000 };

static int explain(const char *directory, const char *log, struct error *err)
{
    _cleanup_free_ char *path = path_join(directory, log);
    _cleanup_buf_ struct buf text = {0};
    file_read(path, &text, NULL);
    buf_trim(&text);
    const char *line = text.data ? strrchr(text.data, '\n') : NULL;
    return error_set(err, EIO, "slirp4netns cannot set the network up: %s",
                     line        ? line + 1
                     : text.size ? text.data
                                 : "it said nothing");
}

/* ---- orders ---- */

static int connect_to(const char *directory, const char *name)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int dir = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/%s", dir, name);
    if (fd < 0 || dir < 0 || n >= (int)sizeof(sa.sun_path))
        return fd < 0 || dir < 0 ? -errno : -ENAMETOOLONG;
    return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : take_fd(fd);
}

static int read_answer(int fd, struct json **ret, struct error *err)
{
    _cleanup_buf_ struct buf b = {0};
    ssize_t n = read_full(fd, buf_reserve(&b, 4096), 4096);
    if (n <= 0)
        return error_errno(err, n < 0 ? (int)-n : EPIPE, "slirp4netns does not answer");
    return js_parse(b.data, (size_t)n, "slirp4netns's answer", ret, err);
}

static int publish(const char *directory, const char *name, const struct json *order,
                   struct error *err)
{
    _cleanup_free_ char *text = js_dump(order, 0);
    _cleanup_json_ struct json *answer = NULL;
    _cleanup_close_ int fd = connect_to(directory, name);
    int r = fd < 0 ? fd : write_full(fd, text, strlen(text));
    if (r < 0)
        return error_errno(err, -r, "cannot talk to slirp4netns");
    shutdown(fd, SHUT_WR);
    r = read_answer(fd, &answer, err);
    if (r < 0 || !js_get(answer, "error"))
        return r;
    const char *why = js_text(js_path(answer, "error", "desc", NULL));
    return error_set(err, EIO, "slirp4netns cannot publish port %lld: %s",
                     (long long)js_int_value(js_path(order, "arguments", "host_port", NULL)),
                     why ? why : "it does not say why");
}

static struct json *make_order(const struct json *mapping, int64_t offset)
{
    const char *ip = js_get_string(mapping, "host_ip");
    struct json *order = js_object(), *arguments = js_object();
    js_set(arguments, "proto", js_string(js_get_string(mapping, "protocol")));
    js_set(arguments, "host_addr", js_string(ip && *ip ? ip : "0.0.0.0"));
    js_set(arguments, "host_port", js_int(js_get_int(mapping, "host_port", 0) + offset));
    js_set(arguments, "guest_port", js_int(js_get_int(mapping, "container_port", 0) + offset));
    js_set(order, "execute", js_string("add_hostfwd"));
    js_set(order, "arguments", arguments);
    return order;
}

static int publish_all(const struct json *ports, const char *directory, const char *name,
                       struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < js_count(ports); i++) {
        const struct json *mapping = js_at(ports, i);
        int64_t count = js_get_int(mapping, "range", 1);
        for (int64_t k = 0; r == 0 && k < count; k++) {
            _cleanup_json_ struct json *order = make_order(mapping, k);
            r = publish(directory, name, order, err);
        }
    }
    return r;
}

/* ---- the start ---- */

/* It writes a byte when the interface is up; its end closes the pipe. */
static int wait_ready(int fd)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, READY_TIMEOUT_MS) == 1 && read(fd, &byte, 1) == 1 ? 0 : -EIO;
}

static int start(char *const *argv, const char *directory, int said, pid_t *ret, struct error *err)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot start slirp4netns");
    _cleanup_close_ int ours = ready[0], its = ready[1];
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.cwd = directory;
    s.stdout_fd = s.stderr_fd = said;
    s.keep_fds = &its;
    s.keep_fd_count = 1;
    s.new_session = true;
    *ret = spawn_orphan(&s, err);
    close(take_fd(its));
    if (*ret < 0)
        return *ret;
    return wait_ready(ours) < 0 ? -EIO : 0;
}

int slirp4netns_start(const char *netns, const struct json *ports, const char *directory,
                      const char *socket, const char *log, struct process *ret_process,
                      struct error *err)
{
    char *argv[] = {(char *)"slirp4netns",
                    (char *)"--configure",
                    (char *)"--mtu=65520",
                    (char *)"--disable-host-loopback",
                    (char *)"--enable-sandbox",
                    (char *)"--enable-seccomp",
                    (char *)"--ready-fd=3",
                    (char *)"--netns-type=path",
                    (char *)"--api-socket",
                    (char *)socket,
                    (char *)netns,
                    (char *)"tap0",
                    NULL};
    _cleanup_free_ char *path = path_join(directory, log);
    _cleanup_close_ int said = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (said < 0)
        return error_errno(err, errno, "cannot create %s", path);
    pid_t pid = 0;
    int r = start(argv, directory, said, &pid, err);
    if (r == -EIO)
        return explain(directory, log, err);
    if (r < 0)
        return r;
    r = process_identify(pid, ret_process);
    if (r < 0)
        return error_errno(err, -r, "slirp4netns has gone again");
    return publish_all(ports, directory, socket, err);
}
