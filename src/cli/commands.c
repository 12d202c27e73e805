#include "cli/commands.h"

const struct command_group command_groups[] = {
    {"container", "Manage containers"},
    {"image", "Manage images"},
    {"volume", "Manage volumes"},
    {NULL, NULL},
};

const struct command *const commands[] = {
    &command_version,
    NULL,
};
