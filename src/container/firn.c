#include "container/firn.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/namespace.h"
#include "store/store.h"

static const char *const level_names[] = {
    [LOG_LEVEL_TRACE] = "trace", [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",   [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_FATAL] = "fatal",
    [LOG_LEVEL_PANIC] = "panic",
};

/* Logrus writes its level out in full where the option is short. */
static const char *level_long_name(enum log_level level)
{
    return level == LOG_LEVEL_WARN ? "warning" : level_names[level];
}

static int parse_level(const char *name, enum log_level *ret, struct error *err)
{
    if (string_equal(name, "warning"))
        name = "warn";
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (strcmp(level_names[i], name) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    return error_kind_set(err, ERROR_USAGE,
                          "Log Level %s is not supported, choose from: trace, debug, info, warn, "
                          "warning, error, fatal, panic",
                          name);
}

static int read_self(char **ret, struct error *err)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (n < 0)
        return error_errno(err, errno, "cannot read /proc/self/exe");
    path[n] = '\0';
    *ret = xstrdup(path);
    return 0;
}

/* conmon calls us from another directory. */
static void add_program(char ***v, const char *option, const char *name)
{
    if (!name)
        return;
    _cleanup_free_ char *path = strchr(name, '/') ? realpath(name, NULL) : NULL;
    strv_add(v, option);
    strv_add(v, path ? path : name);
}

static char **make_exit_command(const struct firn *firn, const struct firn_options *o)
{
    char **v = NULL;
    strv_add(&v, firn->self);
    strv_add(&v, "--root");
    strv_add(&v, firn->root);
    strv_add(&v, "--runroot");
    strv_add(&v, firn->runroot);
    strv_add(&v, "--log-level");
    strv_add(&v, firn->log_level_name);
    strv_add(&v, "--cgroup-manager");
    strv_add(&v, firn->cgroup_manager);
    add_program(&v, "--runtime", o->runtime);
    add_program(&v, "--conmon", o->conmon);
    STRV_FOREACH(flag, firn->runtime_flags)
    {
        strv_add(&v, "--runtime-flag");
        strv_add(&v, *flag);
    }
    return v;
}

static int fill(struct firn *firn, const struct firn_options *o, struct error *err)
{
    const char *level = o->log_level ? o->log_level : "warn";
    int r = parse_level(level, &firn->log_level, err);
    if (r < 0)
        return r;
    firn->log_level_name = level_names[firn->log_level];
    const char *manager = o->cgroup_manager ? o->cgroup_manager : "cgroupfs";
    if (strcmp(manager, "cgroupfs") != 0 && strcmp(manager, "systemd") != 0)
        return error_kind_set(
            err, ERROR_USAGE,
            "unsupported cgroup manager \"%s\": must be either systemd or cgroupfs", manager);
    firn->cgroup_manager = xstrdup(manager);
    firn->runtime_flags = strv_copy(o->runtime_flags);
    firn->runtime_option = xstrdup_null(o->runtime);
    firn->conmon_option = xstrdup_null(o->conmon);
    r = read_self(&firn->self, err);
    if (r < 0)
        return r;
    /* conmon may call us from a mount namespace that is not the one our mounts are in. */
    if (!namespace_come_home())
        return error_set(err, ESTALE, "no way back from conmon's mount namespace");
    r = store_open(&(struct store_options){.root = o->root, .runroot = o->runroot}, &firn->store,
                   err);
    if (r < 0)
        return r;
    firn->root = xstrdup(firn->store->root);
    firn->runroot = xstrdup(firn->store->runroot);
    firn->rootless = firn->store->rootless;
    firn->exit_command = make_exit_command(firn, o);
    return 0;
}

int firn_open(const struct firn_options *options, struct firn **ret, struct error *err)
{
    _cleanup_firn_ struct firn *firn = xcalloc(1, sizeof(*firn));
    int r = fill(firn, options, err);
    if (r < 0)
        return r;
    *ret = take_ptr(firn);
    return 0;
}

void firn_close(struct firn *firn)
{
    store_close(firn->store);
    free(firn->root);
    free(firn->runroot);
    free(firn->runtime);
    free(firn->conmon);
    free(firn->cgroup_manager);
    strv_free(firn->runtime_flags);
    free(firn->self);
    strv_free(firn->exit_command);
    free(firn->runtime_option);
    free(firn->conmon_option);
    free(firn);
}

char *firn_runtime_named(struct firn *firn, const char *name, struct error *err)
{
    if (!name) {
        const char *path = firn_runtime(firn, err);
        return path ? xstrdup(path) : NULL;
    }
    char *path = find_program(name);
    if (!path)
        error_set(err, ENOENT, "default OCI runtime \"%s\" not found: invalid argument", name);
    return path;
}

const char *firn_runtime(struct firn *firn, struct error *err)
{
    if (firn->runtime)
        return firn->runtime;
    if (firn->runtime_option)
        return firn->runtime = firn_runtime_named(firn, firn->runtime_option, err);
    firn->runtime = find_program("crun");
    if (!firn->runtime)
        firn->runtime = find_program("runc");
    if (!firn->runtime)
        error_set(err, ENOENT, "no OCI runtime found: install crun (or runc), or give --runtime");
    return firn->runtime;
}

const char *firn_conmon(struct firn *firn, struct error *err)
{
    if (firn->conmon)
        return firn->conmon;
    const char *name = firn->conmon_option ? firn->conmon_option : "conmon";
    firn->conmon = find_program(name);
    if (!firn->conmon && !firn->conmon_option)
        firn->conmon = find_program("/usr/libexec/podman/conmon");
    if (!firn->conmon)
        error_set(err, ENOENT, "%s not found: install conmon, or give --conmon", name);
    return firn->conmon;
}

/* As Go's %q, as far as log texts need it. */
static void add_quoted(struct buf *b, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_printf(b, "\\%c", *text);
        else if (*text == '\n')
            buf_add_string(b, "\\n");
        else
            buf_add_char(b, *text);
    }
}

void firn_log(const struct firn *firn, enum log_level level, const char *format, ...)
{
    if (level < firn->log_level)
        return;
    va_list ap;
    va_start(ap, format);
    _cleanup_free_ char *text = xvasprintf(format, ap);
    va_end(ap);
    char stamp[32];
    struct tm tm;
    time_t now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
    _cleanup_buf_ struct buf b = {0};
    buf_printf(&b, "time=\"%s\" level=%s msg=\"", stamp, level_long_name(level));
    add_quoted(&b, text);
    buf_add_string(&b, "\"\n");
    (void)!write(STDERR_FILENO, b.data, b.size);
}
