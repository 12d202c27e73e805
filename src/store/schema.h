/* The tables of the database. To change them: append a step to the list in schema.c; a step once
 * released is never edited. PRAGMA user_version counts the steps done. */
#pragma once

#include <stddef.h>

/* SQL scripts, each run in a transaction of its own. */
extern const char *const schema_steps[];
extern const size_t schema_step_count;
