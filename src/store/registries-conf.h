/* registries.conf: where short image names lead. (What it says about insecure
 * registries and mirrors is for skopeo, which reads it too.)
 * Read are the file of CONTAINERS_REGISTRIES_CONF, else ~/.config/containers/registries.conf for an
 * ordinary user, else /etc/containers/registries.conf; then
 * /etc/containers/registries.conf.d and the user's. Missing files are fine. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"

struct registries_alias {
    char *name; /* busybox */
    char *full; /* docker.io/library/busybox */
    char *file; /* that said so */
};

struct registries_conf {
    char *path;    /* of the main file, there or not */
    char **search; /* unqualified-search-registries */
    struct registries_alias *aliases;
    size_t alias_count, alias_room;
};

int registries_conf_load(struct registries_conf *ret, struct error *err);
/* Reads one more file into `c`, later settings win. */
int registries_conf_read(struct registries_conf *c, const char *path, struct error *err);
void registries_conf_free(struct registries_conf *c);
#define _cleanup_registries_conf_ _cleanup_(registries_conf_free)

/* The alias for a short name without its tag, or NULL. */
const struct registries_alias *registries_conf_alias(const struct registries_conf *c,
                                                     const char *name);
