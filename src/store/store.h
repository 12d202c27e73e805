/* The store: where images, layers, containers and volumes live, opened once per command.
 *
 *     _cleanup_store_ struct store *store = NULL;
 *     int r = store_open(&(struct store_options){.root = root}, &store, err);
 *
 * Opening creates only the two roots and the database; other directories appear with their first
 * use. Nothing but the database is opened, nothing is scanned.
 *
 *   <root>/db.sqlite                  all state
 *   <root>/images/blobs/sha256/<hex>  blobs of manifests, configs and layers (an OCI image layout)
 *   <root>/layers/<chain-id>/diff     unpacked layers
 *   <root>/containers/<id>/           bundles: config.json, upper, work, merged, ...
 *   <root>/volumes/<name>/_data
 *   <root>/tmp/<pid>.<start>.<n>...   what a command at work makes before it renames it into place
 *   <root>/images.lock                held by whoever adds or removes images and layers
 *   <runroot>/locks/<id>.lock         one lock per container */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "store/database.h"

struct store_options {
    const char *root;    /* NULL: /var/lib/firn, or ~/.local/share/firn for an ordinary user */
    const char *runroot; /* NULL: /run/firn, or $XDG_RUNTIME_DIR/firn */
};

struct store {
    char *root;    /* absolute, without links */
    char *runroot; /* absolute, without links */
    struct database *db;
    bool rootless; /* the caller is not root on the host: overlay with userxattr */
};

int store_open(const struct store_options *o, struct store **ret, struct error *err);
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close);
#define _cleanup_store_ _cleanup_(store_closep)

/* The run directory of an ordinary user when none is given: $XDG_RUNTIME_DIR/firn if that is his,
 * else /tmp/firn-run-UID. It is made, checked to be his, and closed to others. The caller frees. */
int store_private_runroot(char **ret, struct error *err);

/* Paths; the caller frees. Nothing is created. */
char *store_path(const struct store *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *store_run_path(const struct store *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *store_container_dir(const struct store *s, const char *id); /* <root>/containers/<id> */
char *store_container_run_dir(const struct store *s,
                              const char *id); /* <runroot>/containers/<id> */

/* The lock of a container. Returns its fd (close it to unlock) or a negative error.
 * `wait` false: -EWOULDBLOCK at once when another command holds it. */
int store_lock_container(const struct store *s, const char *id, bool wait, struct error *err);
/* Removes the lock file of a container that is gone; the caller holds the lock. */
void store_forget_lock(const struct store *s, const char *id);
/* The one lock of images and layers, for writing. Before it returns, what killed commands left
 * below <root>/tmp is removed. Returns its fd. */
int store_lock_images(const struct store *s, struct error *err);

/* A new empty directory below <root>/tmp, mode 0700, that carries our pid and start time so that
 * another command can tell when its maker is dead. The caller renames it or removes it. */
int store_temp_dir(const struct store *s, const char *what, char **ret, struct error *err);
/* Removes the directory when it goes out of scope: the last holder of a temporary path. */
void store_temp_discard(char **path);
#define _cleanup_temp_dir_ _cleanup_(store_temp_discard)
