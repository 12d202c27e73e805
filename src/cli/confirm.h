/* "Are you sure you want to continue? [y/N]". */
#pragma once

#include <stdbool.h>

/* Prints the warning and reads the answer from stdin. */
bool confirm(const char *warning);
