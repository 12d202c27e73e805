/* The part of `firn check` that is about an ordinary user. */
#pragma once

#include "base/json.h"

struct firn;

enum check_need {
    CHECK_NEEDED, /* without it: no checkpoint, no restore */
    CHECK_WANTED, /* without it: less */
};
void check_add(struct json *rows, const char *name, bool works, enum check_need need,
               const char *detail);
/* Adds its rows. Returns the one command with which the administrator enables what is missing, NULL
 * if nothing is. The caller frees. */
char *check_user(struct firn *firn, struct json *rows);
