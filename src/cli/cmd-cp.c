#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/io.h"
#include "base/strv.h"
#include "cli/commands.h"
#include "container/copy.h"

struct cp_command_options {
    bool archive, overwrite, pause, extract;
};

#define CP(field) offsetof(struct cp_command_options, field)

static const struct option table[] = {
    {"archive", 'a', OPTION_BOOL, CP(archive),
     .help = "Chown copied files to the primary uid/gid of the destination container.",
     .initial = "true"},
    {"extract", 0, OPTION_BOOL, CP(extract)}, /* accepted by Podman without effect, like here */
    {"overwrite", 0, OPTION_BOOL, CP(overwrite),
     .help = "Allow to overwrite directories with non-directories and vice versa"},
    {"pause", 0, OPTION_BOOL, CP(pause), .help = "Pause the container while copying",
     .initial = "true"},
    {0},
};

/* "NAME:PATH" is a container's when it does not begin like a path. */
static int parse_side(struct call *call, const char *text, struct copy_side *ret, struct error *err)
{
    const char *colon = strchr(text, ':');
    ret->path = text;
    if (!colon || colon == text || *text == '/' || *text == '.')
        return 0;
    _cleanup_free_ char *name = xstrndup(text, (size_t)(colon - text));
    ret->path = colon + 1;
    return container_lookup(call->firn, name, &ret->c, err);
}

static void side_clear(struct copy_side *s)
{
    if (s->c)
        container_free(s->c);
}

static int write_stdout(void *context, const void *data, size_t size)
{
    return write_full(STDOUT_FILENO, data, size);
}

static int copy(const struct copy_side *from, const struct copy_side *to,
                const struct copy_options *o, struct error *err)
{
    if (!from->c && string_equal(from->path, "-"))
        return container_copy_in(STDIN_FILENO, "stdin", to, o, err);
    if (to->c || !string_equal(to->path, "-"))
        return container_copy(from, to, o, err);
    if (isatty(STDOUT_FILENO))
        return error_kind_set(err, ERROR_USAGE,
                              "refusing to copy to terminal. Redirect standard output");
    return container_copy_out(from, o, write_stdout, NULL, err);
}

static int run(struct call *call, struct error *err)
{
    const struct cp_command_options *o = call->options;
    const struct copy_options options = {
        .archive = o->archive, .overwrite = o->overwrite, .pause = o->pause};
    _cleanup_(side_clear) struct copy_side from = {0}, to = {0};
    int r = parse_side(call, call->args[0], &from, err);
    if (r == 0)
        r = parse_side(call, call->args[1], &to, err);
    if (r == 0 && !from.c && !to.c)
        r = error_kind_set(err, ERROR_USAGE,
                           "invalid arguments \"%s\", \"%s\" you must specify one container",
                           call->args[0], call->args[1]);
    return r < 0 ? r : copy(&from, &to, &options, err);
}

const struct command command_cp = {
    .paths = {"cp", "container cp"},
    .usage = "[options] [CONTAINER:]SRC_PATH [CONTAINER:]DEST_PATH",
    .help = "Copy files/folders between a container and the local filesystem",
    .options = table,
    .options_size = sizeof(struct cp_command_options),
    .args_least = 2,
    .args_most = 2,
    .run = run,
};
