#include "container/exec.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/strv.h"
#include "container/bundle.h"
#include "container/capability.h"
#include "container/draft.h"
#include "container/environment.h"
#include "container/event.h"
#include "container/monitor.h"
#include "container/state.h"
#include "container/stream.h"
#include "container/user.h"

/* --- process.json -------------------------------------------------------------------------- */

static int fill_environment(struct container *c, const struct exec_options *o,
                            const struct container_user *user, struct json *process,
                            struct error *err)
{
    _cleanup_strv_ char **env = js_get_strings(process, "env");
    int r = 0;
    if (o->user)
        strv_env_set(&env, "HOME", user->home);
    if (o->tty && !strv_env(env, "TERM"))
        strv_env_set(&env, "TERM", "xterm");
    STRV_FOREACH(file, o->env_files)
    {
        if ((r = environment_add_file(&env, *file, err)) < 0)
            return r;
    }
    STRV_FOREACH(option, o->env)
    {
        if ((r = environment_add(&env, *option, err)) < 0)
            return r;
    }
    js_set(process, "env", js_strings(env));
    return 0;
}

/* Root gets what the container may have at most, another user nothing but the container's own
 * user's set. */
static void fill_capabilities(const struct exec_options *o, const struct container_user *user,
                              struct json *process)
{
    struct json *caps = js_get(process, "capabilities");
    if (o->privileged) {
        uint64_t all = capability_bounding();
        js_set(caps, "bounding", capability_names(all));
        js_set(caps, "effective", capability_names(all));
        js_set(caps, "permitted", capability_names(all));
        return;
    }
    if (!o->user)
        return;
    uint64_t bounding = capability_mask(js_get(caps, "bounding"));
    uint64_t active = user->uid == 0 ? bounding : 0;
    js_set(caps, "effective", capability_names(active));
    js_set(caps, "permitted", capability_names(active));
    js_set(caps, "inheritable", js_array());
    js_set(caps, "ambient", js_array());
}

static int make_process(struct container *c, const struct exec_options *o, struct json **ret,
                        struct error *err)
{
    _cleanup_json_ struct json *spec = NULL;
    int r = bundle_spec(c, &spec, err);
    if (r < 0)
        return r;
    _cleanup_json_ struct json *process = js_ref(js_get(spec, "process"));
    _cleanup_container_user_ struct container_user user = {0};
    if (o->user) {
        _cleanup_free_ char *rootfs = container_path(c, "merged");
        _cleanup_strv_ char **groups = js_get_strings(c->config, "groups");
        r = container_user_lookup(rootfs, o->user, groups, &user, err);
        if (r < 0)
            return r;
        container_user_store(&user, draft_object(process, "user"));
    }
    r = fill_environment(c, o, &user, process, err);
    if (r < 0)
        return r;
    fill_capabilities(o, &user, process);
    js_set(process, "terminal", js_bool(o->tty));
    js_set(process, "args", js_strings(o->command));
    if (o->workdir)
        js_set(process, "cwd", js_string(o->workdir));
    *ret = take_ptr(process);
    return 0;
}

/* --- sessions ------------------------------------------------------------------------------ */

static char *session_directory(const struct container *c, const char *id)
{
    return xasprintf("%s/exec/%s", c->run_directory, id);
}

int exec_cleanup(struct container *c, const char *session_id, struct error *err)
{
    if (!is_sha256_hex(session_id))
        return error_kind_set(err, ERROR_USAGE, "\"%s\" is no exec session id", session_id);
    _cleanup_free_ char *directory = session_directory(c, session_id);
    _cleanup_free_ char *record = path_join(directory, "session.json");
    if (path_exists(record))
        return 0; /* its maker asks for the exit code later, see session.h */
    return remove_tree(directory, err);
}

int exec_check(struct container *c, const struct exec_options *o, struct error *err)
{
    if (!strv_length(o->command))
        return error_kind_set(err, ERROR_STATE,
                              "must provide a non-empty command to start an exec session: invalid "
                              "argument");
    struct container_status s;
    int r = container_status(c, &s, err);
    if (r < 0)
        return r;
    if (s.state != CONTAINER_RUNNING)
        return error_kind_set(
            err, ERROR_STATE,
            "can only create exec sessions on running containers: container state improper");
    return 0;
}

int exec_prepare(struct container *c, const struct exec_options *o, struct monitor_exec *e,
                 char **ret_process_file, struct error *err)
{
    _cleanup_json_ struct json *process = NULL;
    int r = make_process(c, o, &process, err);
    if (r == 0)
        r = mkdir_parents(e->directory, 0700, err);
    if (r < 0)
        return r;
    *ret_process_file = path_join(e->directory, "process.json");
    e->process_file = *ret_process_file;
    return js_write_file(e->process_file, process, 0600, err);
}

/* Follows the session to its end. */
static int follow(const struct exec_options *o, const struct monitor_exec *e,
                  struct monitor_session *m, pid_t pid, int *ret_code, struct error *err)
{
    struct process p = {0};
    process_identify(pid, &p);
    struct stream s = {
        .fd = m->attach_fd,
        .directory = e->directory,
        .tty = o->tty,
        .input = o->interactive,
        .init = p.start_ticks ? &p : NULL,
    };
    int r = stream_run(&s, &o->attach, err);
    if (r < 0)
        return r;
    if (r == ATTACH_DETACHED) {
        *ret_code = 0;
        return 0;
    }
    return monitor_exec_wait(m, ret_code, err);
}

int container_exec(struct container *c, const struct exec_options *options, int *ret_code,
                   char **ret_session, struct error *err)
{
    int r = exec_check(c, options, err);
    if (r < 0)
        return r;
    char id[ID_HEX_SIZE];
    random_id(id);
    _cleanup_free_ char *directory = session_directory(c, id), *process_file = NULL;
    struct monitor_exec e = {
        .session_id = id,
        .directory = directory,
        .tty = options->tty,
        .stdin_open = options->interactive,
        .attach = !options->detach,
    };
    struct monitor_session session = {-1, -1, -1};
    pid_t pid = 0;
    r = exec_prepare(c, options, &e, &process_file, err);
    if (r == 0)
        r = monitor_exec_start(c, &e, &session, err);
    if (r == 0)
        r = monitor_exec_begin(c, &e, &session, &pid, err);
    if (r == 0)
        container_event(c, "exec");
    if (r == 0 && !options->detach)
        r = follow(options, &e, &session, pid, ret_code, err);
    else if (r == 0 && ret_session)
        *ret_session = xstrdup(id);
    monitor_session_close(&session);
    if (r == 0 && !options->detach)
        container_event(c, "exec_died");
    if (r < 0 || !options->detach)
        remove_tree(directory, NULL);
    return r;
}
