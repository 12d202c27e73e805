#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/commands.h"
#include "container/export.h"

struct export_command_options {
    char *output;
};

static const struct option table[] = {
    {"output", 'o', OPTION_STRING, offsetof(struct export_command_options, output), "string",
     "Write to a specified file (default: stdout, which must be redirected)"},
    {0},
};

static int write_fd(void *context, const void *data, size_t size)
{
    return write_full(*(int *)context, data, size);
}

static int run(struct call *call, struct error *err)
{
    const struct export_command_options *o = call->options;
    _cleanup_container_ struct container *c = NULL;
    if (!o->output && isatty(STDOUT_FILENO))
        return error_kind_set(err, ERROR_USAGE,
                              "refusing to export to terminal. Use -o flag or redirect");
    int r = container_lookup(call->firn, call->args[0], &c, err);
    if (r < 0)
        return r;
    if (!o->output)
        return container_export(c, write_fd, &(int){STDOUT_FILENO}, err);
    _cleanup_close_ int fd = open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_errno(err, errno, "open %s", o->output);
    return container_export(c, write_fd, &fd, err);
}

const struct command command_export = {
    .paths = {"export", "container export"},
    .usage = "[options] CONTAINER",
    .help = "Export container's filesystem contents as a tar archive",
    .options = table,
    .options_size = sizeof(struct export_command_options),
    .args_least = 1,
    .args_most = 1,
    .run = run,
};
