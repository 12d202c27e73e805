#pragma once

#include "base/json.h"
#include "container/container.h"

/* The processes of a running container: {"Titles": [...], "Processes": [[...], ...]}. `columns`
 * are descriptors ("pid", "user", "args", "hpid", ...; "pid,args" is two) or the options of ps(1)
 * "-ef" and "aux"; none: user pid ppid pcpu etime tty time args. Not running: `top can only be
 * used on running containers`. */
int container_top(struct container *c, char *const *columns, struct json **ret, struct error *err);
/* All descriptors, sorted (the caller frees). */
char **container_top_columns(void);
