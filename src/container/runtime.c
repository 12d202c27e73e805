#include "container/runtime.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "container/cgroup.h"
#include "container/firn.h"
#include "container/namespace.h"

static const char *runtime_name(const struct container *c)
{
    const char *name = js_get_string(c->config, "runtime");
    if (!name || !*name)
        return "crun";
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

char *runtime_path(struct container *c, struct error *err)
{
    return firn_runtime_named(c->firn, js_get_string(c->config, "runtime"), err);
}

static char *state_root(const struct container *c)
{
    return path_join(c->firn->runroot, runtime_name(c));
}

char *runtime_state_file(const struct container *c, const char *name)
{
    return xasprintf("%s/%s/%s/%s", c->firn->runroot, runtime_name(c), c->id, name);
}

char **runtime_global_arguments(struct container *c, const char *log_path)
{
    char **v = NULL;
    _cleanup_free_ char *root = state_root(c);
    strv_addf(&v, "--root=%s", root);
    if (log_path) {
        strv_add(&v, "--log-format=json");
        strv_addf(&v, "--log=%s", log_path);
    }
    if (!cgroup_is_used(c) && runtime_keeps_filters(c)) /* crun; runc finds out by itself */
        strv_add(&v, "--cgroup-manager=disabled");
    STRV_FOREACH(flag, c->firn->runtime_flags)
    {
        strv_addf(&v, "--%s", *flag);
    }
    return v;
}

bool runtime_keeps_filters(const struct container *c)
{
    return strcmp(runtime_name(c), "crun") == 0;
}

bool runtime_knows(const struct container *c)
{
    _cleanup_free_ char *path = runtime_state_file(c, "");
    return path_exists(path);
}

bool runtime_is_waiting_for_start(const struct container *c)
{
    _cleanup_free_ char *path = runtime_state_file(c, "exec.fifo");
    return path_exists(path);
}

/* --- errors -------------------------------------------------------------------------------- */

static bool contains(const char *text, const char *part)
{
    return strcasestr(text, part);
}

/* Without what only tells when and how loud: runc's `time=... level=error msg="..."` lines. */
static char *plain_message(const char *text)
{
    _cleanup_strv_ char **lines = strv_split(text, '\n');
    char *last = NULL;
    STRV_FOREACH(line, lines)
    {
        if (!**line)
            continue;
        free(last);
        const char *msg = strstr(*line, "msg=\"");
        last = string_starts(*line, "time=") && msg ? xstrdup(msg + 5) : xstrdup(*line);
        size_t n = strlen(last);
        if (msg && n && last[n - 1] == '"')
            last[n - 1] = '\0';
    }
    return last ? last : xstrdup("the runtime failed without a message");
}

/* The last error in the runtime's JSON log; NULL if there is none. The caller frees. */
static char *logged_message(const char *log_path)
{
    _cleanup_buf_ struct buf b = {0};
    if (!log_path || file_read(log_path, &b, NULL) < 0)
        return NULL;
    char *found = NULL;
    _cleanup_strv_ char **lines = strv_split(b.data ? b.data : "", '\n');
    STRV_FOREACH(line, lines)
    {
        _cleanup_json_ struct json *entry = NULL;
        if (**line != '{' || js_parse(*line, strlen(*line), "log", &entry, NULL) < 0)
            continue;
        const char *level = js_get_string(entry, "level"), *msg = js_get_string(entry, "msg");
        if (!msg || (level && strcmp(level, "error") != 0))
            continue;
        free(found);
        found = xstrdup(msg);
    }
    return found;
}

int runtime_error(const struct container *c, const char *log_path, const char *message,
                  struct error *err)
{
    _cleanup_free_ char *text = logged_message(log_path);
    if (!text)
        text = plain_message(message ? message : "");
    const char *name = runtime_name(c);
    if (contains(text, "permission denied") || contains(text, "operation not permitted"))
        return error_kind_set(err, ERROR_CANNOT_INVOKE, "%s: %s: OCI permission denied", name,
                              text);
    if (contains(text, "executable file") || contains(text, "no such file or directory"))
        return error_kind_set(
            err, ERROR_COMMAND_NOT_FOUND,
            "%s: %s: OCI runtime attempted to invoke a command that was not found", name, text);
    return error_kind_set(err, ERROR_CANNOT_INVOKE, "OCI runtime error: %s: %s", name, text);
}

/* --- calls --------------------------------------------------------------------------------- */

/* `RT <global> words...`; a failure gives the runtime's words as error. */
static int call(struct container *c, struct error *err, const char *const *words)
{
    _cleanup_free_ char *path = runtime_path(c, err);
    if (!path)
        return -err->code;
    _cleanup_strv_ char **argv = NULL;
    _cleanup_strv_ char **global = runtime_global_arguments(c, NULL);
    strv_add(&argv, path);
    strv_add_all(&argv, global);
    for (; *words; words++)
        strv_add(&argv, *words);
    _cleanup_buf_ struct buf output = {0};
    struct spawn s = SPAWN_INIT;
    s.argv = argv;
    s.stderr_to = &output;
    s.die_with_parent = true; /* `start` waits for an init that may have died with us */
    int r = spawn_run(&s, err);
    if (r <= 0)
        return r;
    return runtime_error(c, NULL, output.data, err);
}

int runtime_start(struct container *c, struct error *err)
{
    return call(c, err, (const char *const[]){"start", c->id, NULL});
}

int runtime_kill(struct container *c, int signal, struct error *err)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", signal);
    return call(c, err, (const char *const[]){"kill", c->id, number, NULL});
}

int runtime_kill_all(struct container *c, int signal, struct error *err)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", signal);
    return call(c, err, (const char *const[]){"kill", "--all", c->id, number, NULL});
}

int runtime_pause(struct container *c, struct error *err)
{
    return call(c, err, (const char *const[]){"pause", c->id, NULL});
}

int runtime_resume(struct container *c, struct error *err)
{
    return call(c, err, (const char *const[]){"resume", c->id, NULL});
}

int runtime_delete(struct container *c, struct error *err)
{
    if (!runtime_knows(c))
        return 0;
    return call(c, err, (const char *const[]){"delete", "--force", c->id, NULL});
}

int runtime_forget(struct container *c, struct error *err)
{
    if (cgroup_uses_systemd(c))
        return runtime_delete(c, err);
    _cleanup_free_ char *directory = runtime_state_file(c, "");
    size_t n = strlen(directory);
    directory[n - 1] = '\0';
    return remove_tree(directory, err);
}

char *runtime_version(const char *path)
{
    _cleanup_buf_ struct buf output = {0};
    struct spawn s = SPAWN_INIT;
    s.argv = (char *const[]){(char *)path, (char *)"--version", NULL};
    s.stdout_to = &output;
    struct error err = {0};
    if (spawn_run(&s, &err) != 0)
        return NULL;
    buf_trim(&output);
    return buf_take(&output);
}

runtime_prepare runtime_prepare_callback(void)
{
    return namespace_needed() ? namespace_leave : NULL;
}
