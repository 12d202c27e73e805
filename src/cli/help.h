/* What --help prints, shaped like Podman's. */
#pragma once

#include "cli/command.h"

void help_command(const struct command *c, const char *path);
/* A group, or with NULL all of firn. */
void help_group(const struct command_group *group);
