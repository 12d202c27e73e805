#include "store/skopeo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/json.h"
#include "base/spawn.h"
#include "base/strv.h"

static bool have_policy(void)
{
    const char *home = getenv("HOME");
    _cleanup_free_ char *own = xasprintf("%s/.config/containers/policy.json", home ? home : "");
    return path_exists("/etc/containers/policy.json") || path_exists(own);
}

static void add_option(char ***argv, const char *prefix, const char *name, const char *value)
{
    if (value)
        strv_addf(argv, "--%s%s=%s", prefix, name, value);
}

/* Platform options and --insecure-policy belong before the command. */
static char **command(const char *name, const struct registry_options *o)
{
    char **argv = NULL;
    strv_add(&argv, "skopeo");
    if (!have_policy())
        strv_add(&argv, "--insecure-policy");
    /* skopeo itself does not look at the variable that the library of Podman honours. */
    add_option(&argv, "", "registries-conf", getenv("CONTAINERS_REGISTRIES_CONF"));
    add_option(&argv, "override-", "arch", o->arch);
    add_option(&argv, "override-", "os", o->os);
    add_option(&argv, "override-", "variant", o->variant);
    strv_add(&argv, name);
    return argv;
}

static void add_access(char ***argv, const char *prefix, const struct registry_options *o)
{
    static const char *const verify[] = {
        [REGISTRY_TLS_VERIFY] = "true",
        [REGISTRY_TLS_SKIP] = "false",
    };
    add_option(argv, prefix, "tls-verify", o->tls ? verify[o->tls] : NULL);
    add_option(argv, prefix, "creds", o->creds);
    add_option(argv, prefix, "cert-dir", o->cert_dir);
    add_option(argv, "", "authfile", o->authfile);
}

/* What logrus wrote after `msg=`, its quotes removed; the last such line is the reason. */
static char *reason(const char *said)
{
    const char *at = NULL;
    for (const char *next = said; (next = strstr(next, "msg=\"")); next += 5)
        at = next + 5;
    if (!at)
        return xstrdup(said);
    _cleanup_buf_ struct buf b = {0};
    for (; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        buf_add_char(&b, *at);
    }
    return buf_take(&b);
}

static int failed(struct buf *said, struct error *err)
{
    buf_trim(said);
    if (!said->size)
        return error_set(err, EIO, "skopeo failed");
    _cleanup_free_ char *text = reason(said->data);
    return error_set(err, EIO, "%s", text);
}

/* Gives whole lines away and keeps what is left. */
static void pass_lines(struct buf *b, const struct progress *p)
{
    char *line = b->data, *end;
    while (b->size && (end = strchr(line, '\n'))) {
        *end = '\0';
        progress_line(p, "%s", line);
        line = end + 1;
    }
    size_t left = line ? b->size - (size_t)(line - b->data) : 0;
    if (line && line != b->data)
        memmove(b->data, line, left + 1);
    b->size = left;
}

static bool read_some(int fd, struct buf *b)
{
    ssize_t n = read(fd, buf_reserve(b, 4096), 4096);
    if (n > 0) {
        b->size += (size_t)n;
        b->data[b->size] = '\0';
    }
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Until both are closed. */
static void follow(int out, int errors, const struct progress *p, struct buf *said)
{
    _cleanup_buf_ struct buf lines = {0};
    struct pollfd fds[] = {{.fd = out, .events = POLLIN}, {.fd = errors, .events = POLLIN}};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].fd >= 0 && fds[0].revents && !read_some(fds[0].fd, &lines))
            fds[0].fd = -1;
        if (fds[1].fd >= 0 && fds[1].revents && !read_some(fds[1].fd, said))
            fds[1].fd = -1;
        pass_lines(&lines, p);
    }
}

static int run_followed(char *const *argv, const struct progress *p, struct error *err)
{
    int out[2], errors[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot start skopeo");
    _cleanup_close_ int out_read = out[0], out_write = out[1];
    if (pipe2(errors, O_CLOEXEC) < 0)
        return error_errno(err, errno, "cannot start skopeo");
    _cleanup_close_ int errors_read = errors[0], errors_write = errors[1];
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stdout_fd = out_write;
    s.stderr_fd = errors_write;
    s.die_with_parent = true;
    pid_t pid = spawn_start(&s, err);
    if (pid < 0)
        return pid;
    close(take_fd(out_write));
    close(take_fd(errors_write));
    _cleanup_buf_ struct buf said = {0};
    follow(out_read, errors_read, p, &said);
    int status = spawn_wait(pid);
    return status == 0 ? 0 : failed(&said, err);
}

int skopeo_check_authfile(const struct registry_options *o, struct error *err)
{
    const char *file = o->authfile ? o->authfile : getenv("REGISTRY_AUTH_FILE");
    struct stat st;
    return file && *file && stat(file, &st) < 0 ? error_errno(err, errno, "stat %s", file) : 0;
}

int skopeo_copy(const char *from, const char *to, bool push, const struct registry_options *o,
                struct error *err)
{
    _cleanup_strv_ char **argv = command("copy", o);
    add_access(&argv, push ? "dest-" : "src-", o);
    if (push) {
        add_option(&argv, "", "format", o->format);
        add_option(&argv, "", "dest-compress-format", o->compression);
        add_option(&argv, "", "digestfile", o->digest_file);
    }
    strv_add(&argv, from);
    strv_add(&argv, to);
    return run_followed(argv, &o->progress, err);
}

static int run_collected(char *const *argv, struct buf *ret, struct error *err)
{
    _cleanup_buf_ struct buf said = {0};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stdout_to = ret;
    s.stderr_to = &said;
    s.die_with_parent = true;
    int status = spawn_run(&s, err);
    return status > 0 ? failed(&said, err) : status;
}

/* `inspect` words what `copy` (and Podman) begin with "initializing source" in its own way. */
static int reword(const char *from, struct error *err)
{
    _cleanup_free_ char *prefix = xasprintf("Error parsing image name \"%s\": ", from);
    const char *rest = err ? string_after(err->text, prefix) : NULL;
    if (!rest)
        return err ? -err->code : -EIO;
    _cleanup_free_ char *text = xasprintf("initializing source %s: %s", from, rest);
    return error_set(err, EIO, "%s", text);
}

int skopeo_manifest(const char *from, const struct registry_options *o, struct buf *ret,
                    struct error *err)
{
    _cleanup_strv_ char **argv = command("inspect", o);
    add_access(&argv, "", o);
    strv_add(&argv, "--raw");
    strv_add(&argv, from);
    int r = run_collected(argv, ret, err);
    return r < 0 ? reword(from, err) : r;
}

int skopeo_tags(const char *repository, const struct registry_options *o, char ***ret,
                struct error *err)
{
    _cleanup_strv_ char **argv = command("list-tags", o);
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_ struct json *json = NULL;
    add_access(&argv, "", o);
    strv_add(&argv, repository);
    int r = run_collected(argv, &text, err);
    if (r >= 0)
        r = js_parse(text.data, text.size, "the list of tags", &json, err);
    if (r < 0)
        return r;
    *ret = js_get_strings(json, "Tags");
    return 0;
}
