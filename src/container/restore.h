/* Bringing a checkpointed container back: here from its local checkpoint, any number of times, or
 * anywhere from an archive. All or nothing: what fails leaves the container as it was, or, for an
 * import, nothing at all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "container/container.h"

struct firn;

struct restore_options {
    const char *import_path; /* only for container_import */
    const char *name;        /* only for container_import: a new name, and a new id */
    /* Only for container_import: may change the config the container is made from. Called in
     * another process: only memory may be used. NULL: nothing. */
    void (*adapt)(void *context, struct json *config);
    void *adapt_context;
    const char *local_path;             /* only for container_restore: as in checkpoint_options */
    bool keep;                          /* accepted: a local checkpoint is always kept */
    bool ignore_rootfs, ignore_volumes; /* only for container_import */
    bool ignore_static_ip, ignore_static_mac;
    bool tcp_established, tcp_close, file_locks;
    bool check; /* only look: an error tells all that stops the restore, nothing is made */
    char *const *publish; /* -p of `run`: instead of the ports it had; NULL: those */
};

/* Times in microseconds, counts in pages of 4 KiB. */
struct restore_stats {
    int64_t duration; /* all of it */
    int64_t pages_compared, pages_skipped_cow;
    int64_t forking_time; /* exec-stop to all processes there */
    int64_t restore_time; /* exec-stop to release: the engine's share */
    int64_t pages_restored;
};

/* No lock may be held. ERROR_STATE: `container ID is running or paused, cannot restore: container
 * state improper`; without a checkpoint: `a complete checkpoint for this container cannot be found,
 * cannot restore: stat ...: no such file or directory`. */
int container_restore(struct firn *firn, struct container *c, const struct restore_options *options,
                      struct restore_stats *ret_stats, struct error *err);

/* Creates the container of an archive and restores it. With options->check *ret stays as it is. */
int container_import(struct firn *firn, const struct restore_options *options,
                     struct container **ret, struct restore_stats *ret_stats, struct error *err);
