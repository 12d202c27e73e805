#include <stdio.h>

#include "cli/commands.h"
#include "cli/stderr-progress.h"
#include "store/import.h"

struct import_command_options {
    bool quiet;
    char *arch, *os, *variant, *message;
    char **changes;
};

#define IMPORT(field) offsetof(struct import_command_options, field)

static const struct option table[] = {
    {"arch", 0, OPTION_STRING, IMPORT(arch), "string",
     "Set the architecture of the imported image"},
    {"change", 'c', OPTION_STRINGS, IMPORT(changes), "stringArray",
     "Apply the following possible instructions to the created image (default []): CMD | "
     "ENTRYPOINT | ENV | EXPOSE | LABEL | STOPSIGNAL | USER | VOLUME | WORKDIR"},
    {"message", 'm', OPTION_STRING, IMPORT(message), "string",
     "Set commit message for imported image"},
    {"os", 0, OPTION_STRING, IMPORT(os), "string", "Set the OS of the imported image"},
    {"quiet", 'q', OPTION_BOOL, IMPORT(quiet), .help = "Suppress output"},
    {"variant", 0, OPTION_STRING, IMPORT(variant), "string",
     "Set the variant of the imported image"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct import_command_options *o = call->options;
    struct import_options options = {
        .source = call->args[0],
        .name = call->args[1],
        .changes = o->changes,
        .message = o->message,
        .arch = o->arch,
        .os = o->os,
        .variant = o->variant,
        .progress = stderr_progress(o->quiet),
    };
    _cleanup_image_ struct image *image = NULL;
    int r = import_image(call->firn->store, &options, &image, err);
    if (r < 0)
        return r;
    printf("sha256:%s\n", image->id);
    return 0;
}

const struct command command_import = {
    .paths = {"import", "image import"},
    .usage = "[options] PATH [REFERENCE]",
    .help = "Import a tarball to create a filesystem image",
    .options = table,
    .options_size = sizeof(struct import_command_options),
    .args_least = 1,
    .args_most = 2,
    .run = run,
};
