/* Every command there is; each is defined in the file of its name, cmd-NAME.c. */
#pragma once

#include "cli/command.h"

extern const struct command command_version;
