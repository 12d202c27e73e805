/* Checkpointing a running container: its processes, and at the same instant what they have written,
 * to a directory of its own or to an archive. The container goes on as if nothing had happened
 * whenever anything fails before the checkpoint is complete. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "container/container.h"

struct firn;

/* Where the images of a local checkpoint are, below the container's directory. */
#define LOCAL_CHECKPOINT "checkpoint/checkpoint"

struct checkpoint_options {
    const char *export_path; /* NULL: a local checkpoint */
    const char *local_path;  /* the directory of a local one; NULL: <directory>/checkpoint */
    const char *compression; /* of the archive: none, gzip, zstd; NULL: zstd */
    bool leave_running;
    bool dry_run; /* only look: an error tells all that stops a checkpoint, nothing is written */
    bool keep;    /* accepted: a local checkpoint is always kept */
    bool ignore_rootfs, ignore_volumes;
    bool tcp_established, tcp_close, file_locks;
    const char *external_unix; /* unix sockets with the outside: refuse, close, reconnect */
};

/* Times in microseconds, counts in pages of 4 KiB. */
struct checkpoint_stats {
    int64_t duration; /* all of it */
    int64_t freezing_time, frozen_time, memdump_time, memwrite_time;
    int64_t pages_scanned, pages_written;
    int64_t images_time; /* the engine's share: freeze to the last image written */
    int64_t twins; /* processes that went on while their memory was written, see --leave-running */
};

/* No lock may be held. ERROR_STATE: `"exited" is not running, cannot checkpoint: container state
 * improper`. */
int container_checkpoint(struct firn *firn, struct container *c,
                         const struct checkpoint_options *options, struct checkpoint_stats *ret,
                         struct error *err);
