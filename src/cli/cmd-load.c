#include <stdio.h>
#include <unistd.h>

#include "base/strv.h"
#include "cli/commands.h"
#include "cli/stderr-progress.h"
#include "store/load.h"

struct load_command_options {
    bool quiet;
    char *input;
};

#define LOAD(field) offsetof(struct load_command_options, field)

static const struct option table[] = {
    {"input", 'i', OPTION_STRING, LOAD(input), "string",
     "Load images from specified tar archive file"},
    {"quiet", 'q', OPTION_BOOL, LOAD(quiet), .help = "Suppress the output"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct load_command_options *o = call->options;
    struct load_options options = {.input = o->input, .progress = stderr_progress(o->quiet)};
    if (!o->input && isatty(0))
        return error_kind_set(err, ERROR_USAGE,
                              "cannot read from terminal, use command-line redirection or the "
                              "--input flag");
    _cleanup_strv_ char **names = NULL;
    int r = load_images(call->firn->store, &options, &names, err);
    if (r < 0)
        return r;
    STRV_FOREACH(name, names)
    printf("Loaded image: %s\n", *name);
    return 0;
}

const struct command command_load = {
    .paths = {"load", "image load"},
    .usage = "[options]",
    .help = "Load image(s) from a tar archive",
    .options = table,
    .options_size = sizeof(struct load_command_options),
    .run = run,
};
