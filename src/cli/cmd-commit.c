#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cli/commands.h"
#include "container/commit.h"

struct commit_command_options {
    bool pause, quiet, squash, include_volumes;
    char *author, *format, *iidfile, *message;
    char **changes;
};

#define COMMIT(field) offsetof(struct commit_command_options, field)

static const struct option table[] = {
    {"author", 'a', OPTION_STRING, COMMIT(author), "string",
     "Set the author for the image committed"},
    {"change", 'c', OPTION_STRINGS, COMMIT(changes), "stringArray",
     "Apply the following possible instructions to the created image (default []): CMD | "
     "ENTRYPOINT | ENV | EXPOSE | LABEL | STOPSIGNAL | USER | VOLUME | WORKDIR"},
    {"format", 'f', OPTION_STRING, COMMIT(format), "string",
     "Format of the image manifest and metadata (oci, docker)", .initial = "oci"},
    {"iidfile", 0, OPTION_STRING, COMMIT(iidfile), "string", "File to write the image ID to"},
    {"include-volumes", 0, OPTION_BOOL, COMMIT(include_volumes),
     .help = "Include container volumes as image volumes"},
    {"message", 'm', OPTION_STRING, COMMIT(message), "string",
     "Set commit message for imported image"},
    {"pause", 'p', OPTION_BOOL, COMMIT(pause), .help = "Pause container during commit"},
    {"quiet", 'q', OPTION_BOOL, COMMIT(quiet), .help = "Suppress output"},
    {"squash", 's', OPTION_BOOL, COMMIT(squash),
     .help = "squash newly built layers into a single new layer"},
    {0},
};

static int run(struct call *call, struct error *err)
{
    const struct commit_command_options *o = call->options;
    const struct commit_options options = {
        .name = call->args[1],
        .author = o->author,
        .message = o->message,
        .format = o->format,
        .changes = o->changes,
        .pause = o->pause,
        .squash = o->squash,
        .include_volumes = o->include_volumes,
    };
    _cleanup_container_ struct container *c = NULL;
    _cleanup_image_ struct image *image = NULL;
    int r = container_lookup(call->firn, call->args[0], &c, err);
    if (r == 0)
        r = container_commit(c, &options, &image, err);
    if (r == 0 && o->iidfile)
        r = file_write_atomic(o->iidfile, image->id, strlen(image->id), 0644, false, err);
    if (r < 0)
        return r;
    printf("%s\n", image->id);
    return 0;
}

const struct command command_commit = {
    .paths = {"commit", "container commit"},
    .usage = "[options] CONTAINER [IMAGE]",
    .help = "Create new image based on the changed container",
    .options = table,
    .options_size = sizeof(struct commit_command_options),
    .args_least = 1,
    .args_most = 2,
    .run = run,
};
