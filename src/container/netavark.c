#include "container/netavark.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

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

/* A file in memory with the request in it, for its stdin. */
static int make_input(const struct json *request, struct error *err)
{
    _cleanup_free_ char *text = js_dump(request, 0);
    _cleanup_close_ int fd = memfd_create("netavark", MFD_CLOEXEC);
    if (fd < 0 || pwrite_full(fd, text, strlen(text), 0) < 0)
        return error_errno(err, errno, "cannot talk to netavark");
    return take_fd(fd);
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
    _cleanup_close_ int input = make_input(request, err);
    int r = input < 0 ? input : mkdir_parents(directory, 0700, err);
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
    s.stdout_to = out;
    s.stderr_to = &errors;
    r = spawn_run(&s, err);
    buf_trim(&errors);
    return r > 0 ? explain(doing, out, &errors, err) : r;
}

int netavark_setup(const struct json *request, const char *netns, const char *directory,
                   struct json **ret_status, struct error *err)
{
    _cleanup_buf_ struct buf out = {0};
    int r = run("setup", "set the network up", request, netns, directory, &out, err);
    return r < 0 ? r : js_parse(out.data, out.size, "netavark's answer", ret_status, err);
}

int netavark_teardown(const struct json *request, const char *netns, const char *directory,
                      struct error *err)
{
    _cleanup_buf_ struct buf out = {0};
    return run("teardown", "take the network down", request, netns, directory, &out, err);
}
