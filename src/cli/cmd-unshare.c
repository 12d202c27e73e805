#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/strv.h"
#include "base/userns.h"
#include "cli/commands.h"

static int run(struct call *call, struct error *err)
{
    const char *shell = getenv("SHELL");
    char *const alone[] = {(char *)(shell && *shell ? shell : "/bin/sh"), NULL};
    if (userns_is_host_root())
        return error_kind_set(err, ERROR_USAGE,
                              "please use unshare with rootless: root needs no user namespace");
    int r = call_enter_namespaces(call, err);
    if (r < 0)
        return r;
    char *const *argv = call->arg_count ? call->args : alone;
    execvp(argv[0], argv);
    int code = errno;
    error_errno(err, code, "cannot execute %s", argv[0]);
    err->kind = code == ENOENT ? ERROR_COMMAND_NOT_FOUND : ERROR_CANNOT_INVOKE;
    return -code;
}

const struct command command_unshare = {
    .paths = {"unshare"},
    .usage = "[COMMAND [ARG...]]",
    .help = "Run a command in the user namespace of your containers",
    .args_most = ARGS_ANY,
    .flags = COMMAND_WITHOUT_STORE | COMMAND_STOP_AT_POSITIONAL,
    .run = run,
};
