/* Named and anonymous volumes. Their content is <root>/volumes/<name>/_data. Copying the image's
 * content into a new volume is container/'s business. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "store/store.h"

struct volume {
    char *name;
    char *mountpoint; /* <root>/volumes/<name>/_data */
    char *driver;     /* "local" */
    int64_t created;
    struct json *labels;  /* object */
    struct json *options; /* object */
    bool anonymous;
    bool needs_copy_up; /* nothing has mounted it yet */
};
void volume_free(struct volume *v);
DEFINE_CLEANUP(struct volume *, volume_free);
#define _cleanup_volume_ _cleanup_(volume_freep)

struct volume_list {
    struct volume **items;
    size_t count;
};
#define _cleanup_volume_list_ _cleanup_(volume_list_free)
void volume_list_free(struct volume_list *l);

struct volume_options {
    const char *name;           /* NULL: a random one of 64 hex digits */
    const char *driver;         /* NULL or "local" */
    const struct json *labels;  /* object or NULL */
    const struct json *options; /* object or NULL; only the local driver's are known */
    bool anonymous;             /* goes with its container on `rm -v` */
    bool ignore_existing;       /* return what is there, do not fail */
};

/* "volume with name X already exists: volume already exists" (ERROR_CONFLICT). */
int volume_create(struct store *s, const struct volume_options *o, struct volume **ret,
                  struct error *err);
/* By name or unique prefix of one. ERROR_NOT_FOUND: "no volume with name \"X\" found: no such
 * volume". */
int volume_lookup(struct store *s, const char *name, struct volume **ret, struct error *err);
/* By exact name: 1, 0 or an error. */
int volume_exists(struct store *s, const char *name, struct error *err);
/* Sorted by name. */
int volume_list(struct store *s, struct volume_list *ret, struct error *err);
/* Ids of the containers that have it in their configuration. */
int volume_users(struct store *s, const char *name, char ***ret, struct error *err);
/* ERROR_IN_USE when a container uses it ("volume X is being used by the following container(s): ID:
 * volume is being used"); a caller with --force removes those first. */
int volume_remove(struct store *s, const char *name, struct error *err);

/* Remembers that a container uses a volume; forgotten when the container's row goes. */
int volume_attach(struct store *s, const char *name, const char *container_id, struct error *err);
/* Anonymous volumes only this container uses: what `rm -v` and auto-removal take along. To be asked
 * before the container's row goes. */
int volume_anonymous_of(struct store *s, const char *container_id, char ***ret, struct error *err);
/* The image's content was copied (or there was none). */
int volume_copied_up(struct store *s, const char *name, struct error *err);
