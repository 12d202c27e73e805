#include <stdio.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "container/container.h"
#include "container/exec.h"

struct exec_command_options {
    bool detach, interactive, latest, privileged, tty;
    char *detach_keys, *user, *workdir;
    char **env, **env_files;
};

#define EXEC(field) offsetof(struct exec_command_options, field)

static const struct option table[] = {
    {"detach", 'd', OPTION_BOOL, EXEC(detach),
     .help = "Run the exec session in detached mode (backgrounded)"},
    {"detach-keys", 0, OPTION_STRING, EXEC(detach_keys), "string",
     "Select the key sequence for detaching a container"},
    {"env", 'e', OPTION_STRINGS, EXEC(env), "stringArray", "Set environment variables"},
    {"env-file", 0, OPTION_STRINGS, EXEC(env_files), "stringArray",
     "Read in a file of environment variables"},
    {"interactive", 'i', OPTION_BOOL, EXEC(interactive),
     .help = "Keep STDIN open even if not attached"},
    {"latest", 'l', OPTION_BOOL, EXEC(latest),
     .help = "Act on the latest container firn is aware of"},
    {"preserve-fds", 0, OPTION_UNSUPPORTED, 0, "uint"},
    {"privileged", 0, OPTION_BOOL, EXEC(privileged),
     .help = "Give the process extended Linux capabilities inside the container"},
    {"tty", 't', OPTION_BOOL, EXEC(tty), .help = "Allocate a pseudo-TTY"},
    {"user", 'u', OPTION_STRING, EXEC(user), "string",
     "Sets the username or UID used and optionally the groupname or GID for the specified "
     "command"},
    {"workdir", 'w', OPTION_STRING, EXEC(workdir), "string",
     "Working directory inside the container"},
    {0},
};

/* What Podman answers when there is no session at all is its own exit code. */
static int failed(int r, const struct error *err)
{
    if (err->kind != ERROR_STATE && err->kind != ERROR_USAGE)
        return r;
    fprintf(stderr, "Error: %s\n", err->text);
    return 255;
}

static int run(struct call *call, struct error *err)
{
    const struct exec_command_options *o = call->options;
    if (call->arg_count == 0 && !o->latest)
        return error_kind_set(err, ERROR_USAGE,
                              "exec requires the name or ID of a container or "
                              "the --latest flag");
    _cleanup_container_ struct container *c = NULL;
    int r = o->latest ? container_lookup_latest(call->firn, &c, err)
                      : container_lookup(call->firn, call->args[0], &c, err);
    if (r < 0)
        return r;
    struct exec_options options = {
        .command = call->args + !o->latest,
        .env = o->env,
        .env_files = o->env_files,
        .user = o->user,
        .workdir = o->workdir,
        .tty = o->tty,
        .interactive = o->interactive,
        .privileged = o->privileged,
        .detach = o->detach,
        .attach = ATTACH_OPTIONS_INIT,
    };
    options.attach.stdin_fd = o->interactive ? 0 : -1;
    options.attach.detach_keys = o->detach_keys;
    int code = 0;
    _cleanup_free_ char *session = NULL;
    r = container_exec(c, &options, &code, &session, err);
    if (r < 0)
        return failed(r, err);
    if (o->detach)
        printf("%s\n", session);
    return o->detach ? 0 : code;
}

const struct command command_exec = {
    .paths = {"exec", "container exec"},
    .usage = "[options] CONTAINER [COMMAND [ARG...]]",
    .help = "Run a process in a running container",
    .options = table,
    .options_size = sizeof(struct exec_command_options),
    .args_most = ARGS_ANY,
    .flags = COMMAND_STOP_AT_POSITIONAL,
    .run = run,
};
