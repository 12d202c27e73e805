/* The environment options of run, create and exec. Lists are base/strv.h lists of "K=V". */
#pragma once

#include "base/error.h"

/* Adds the lines of an --env-file: K=V, or K to copy from ours; '#' begins a comment line. */
int environment_add_file(char ***env, const char *path, struct error *err);
/* Adds one -e: "K=V", "K" (copied from ours, left out if we have none), "PREFIX*" (all of ours). */
int environment_add(char ***env, const char *option, struct error *err);
/* Sets K=V of a whole "K=V" text. */
void environment_set(char ***env, const char *pair);
void environment_unset(char ***env, const char *key);
