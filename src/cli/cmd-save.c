#include <unistd.h>

#include "cli/commands.h"
#include "cli/stderr-progress.h"
#include "store/save.h"

struct save_command_options {
    bool compress, multi, quiet, uncompressed;
    char *format, *output;
};

#define SAVE(field) offsetof(struct save_command_options, field)

static const struct option table[] = {
    {"compress", 0, OPTION_BOOL, SAVE(compress),
     .help = "Compress tarball image layers when saving to a directory using the 'dir' transport. "
             "(default is same compression type as source)"},
    {"format", 0, OPTION_STRING, SAVE(format), "string",
     "Save image to oci-archive, oci-dir (directory with oci manifest type), docker-archive, "
     "docker-dir (directory with v2s2 manifest type)",
     .initial = "docker-archive"},
    {"multi-image-archive", 'm', OPTION_BOOL, SAVE(multi),
     .help = "Interpret additional arguments as images not tags and create a multi-image-archive "
             "(only for docker-archive)"},
    {"output", 'o', OPTION_STRING, SAVE(output), "string",
     "Write to a specified file (default: stdout, which must be redirected)"},
    {"quiet", 'q', OPTION_BOOL, SAVE(quiet), .help = "Suppress the output"},
    {"uncompressed", 0, OPTION_BOOL, SAVE(uncompressed),
     .help = "Accept uncompressed layers when copying OCI images"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct save_command_options *o = call->options;
    struct save_options options = {
        .images = call->args,
        .output = o->output,
        .format = o->format,
        .progress = stderr_progress(o->quiet),
    };
    if (!o->output && isatty(1))
        return error_kind_set(err, ERROR_USAGE,
                              "refusing to save to terminal. Use -o flag or "
                              "redirect");
    return save_images(call->firn->store, &options, err);
}

const struct command command_save = {
    .paths = {"save", "image save"},
    .usage = "[options] IMAGE [IMAGE...]",
    .help = "Save image(s) to an archive",
    .options = table,
    .options_size = sizeof(struct save_command_options),
    .args_least = 1,
    .args_most = ARGS_ANY,
    .run = run,
};
