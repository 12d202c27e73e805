/* The part of TOML configuration files of containers/ use: tables, strings, booleans, numbers and
 * arrays of them. */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* What a file says, setting by setting. `table` is "" before the first header; an array of tables
 * ("[[registry]]") is announced by a call with key NULL for each of its elements. `values` are the
 * texts of strings (unescaped), numbers and booleans; a single value is a list of one.
 * Returns 0 or a negative error, which ends the reading. */
typedef int toml_setting(void *context, const char *table, const char *key, char *const *values,
                         struct error *err);
/* `what` names the document in errors. Inline tables are skipped. */
int toml_parse(const char *text, const char *what, toml_setting *setting, void *context,
               struct error *err);
