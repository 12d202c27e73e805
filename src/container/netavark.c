#include "container/netavark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"

static char *find(const char *name)
{
    static const char *const places[] = {"/usr/local/libexec/podman", "/usr/local/lib/podman",
                                         "/usr/libexec/podman", "/usr/lib/podman"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        _cleanup_free_ char *path = path_join(places[i], name);
        char *found = find_program(path);
        if (found)
            return found;
    }
    return find_program(name);
}

char *netavark_find(void)
{
    return find("netavark");
}

char *netavark_find_dns(void)
{
    return find("aardvark-dns");
}

/* A file in memory with some text in it. */
static int make_file(const char *text, struct error *err)
{
    _cleanup_close_ int fd = memfd_create("netavark", MFD_CLOEXEC);
    if (fd < 0 || pwrite_full(fd, text, strlen(text), 0) < 0)
        return error_errno(err, errno, "cannot talk to netavark");
    return take_fd(fd);
}

static void read_file(int fd, struct buf *b)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    file_read(path, b, NULL);
}

/* By a process of its own, which has our lock open: if we are killed it is held until netavark is
 * done, so that nobody takes down what is half up. A signal to our group does not reach it. */
static int run_apart(const struct spawn *s, struct error *err)
{
    pid_t keeper = fork();
    if (keeper == 0) {
        setsid();
        pid_t pid = spawn_start(s, NULL);
        _exit(pid < 0 ? 127 : spawn_wait(pid));
    }
    int status = keeper < 0 ? -errno : spawn_wait(keeper);
    return status < 0 ? error_errno(err, -status, "cannot start netavark") : status;
}

/* {"error": "..."}, or plain text of something worse. */
static int explain(const char *verb, const struct buf *out, const struct buf *errors,
                   struct error *err)
{
    _cleanup_json_ struct json *o = NULL;
    const char *text = NULL;
    if (out->size && js_parse(out->data, out->size, "netavark", &o, NULL) == 0)
        text = js_get_string(o, "error");
    if (!text)
        text = errors->size ? errors->data : "it said nothing";
    return error_set(err, EIO,
                     "netavark cannot %s: %s (`firn check` tells what this host lacks; --network "
                     "host needs nothing)",
                     verb, text);
}

static int run(const char *verb, const char *doing, const struct json *request, const char *netns,
               const char *directory, struct buf *out, struct error *err)
{
    _cleanup_free_ char *program = netavark_find(), *dns = netavark_find_dns();
    if (!program)
        return error_set(err, ENOENT,
                         "bridge networks need netavark: install the package netavark, or use "
                         "--network host or none");
    _cleanup_free_ char *text = js_dump(request, 0);
    _cleanup_close_ int input = make_file(text, err);
    _cleanup_close_ int output = input < 0 ? -1 : make_file("", err);
    _cleanup_close_ int said = output < 0 ? -1 : make_file("", err);
    int r = said < 0 ? -EIO : mkdir_parents(directory, 0700, err);
    if (r < 0)
        return r;
    _cleanup_buf_ struct buf errors = {0};
    char *argv[] = {program,
                    (char *)"--config",
                    (char *)directory,
                    (char *)"--rootless",
                    (char *)"false",
                    (char *)"--aardvark-binary",
                    dns ? dns : (char *)"",
                    (char *)verb,
                    (char *)netns,
                    NULL};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stdin_fd = input;
    s.stdout_fd = output;
    s.stderr_fd = said;
    r = run_apart(&s, err);
    read_file(output, out);
    read_file(said, &errors);
    buf_trim(&errors);
    return r > 0 ? explain(doing, out, &errors, err) : r;
}

int netavark_setup(const struct json *request, const char *netns, const char *directory,
                   struct json **ret_status, struct error *err)
{
    _cleanup_buf_ struct buf out = {0};
    int r = run("setup", "set the network up", request, netns, directory, &out, err);
    return r < 0
               ? r
               : js_parse(out.data ? out.data : "", out.size, "netavark's answer", ret_status, err);
}

int netavark_teardown(const struct json *request, const char *netns, const char *directory,
                      struct error *err)
{
    _cleanup_buf_ struct buf out = {0};
    return run("teardown", "take the network down", request, netns, directory, &out, err);
}
