/* System V shared memory, semaphores and message queues. They belong to the ipc namespace, not to a
 * process, and are seen and made only from inside it: a child of ours goes in.
 *
 * What cannot be saved, for the kernel tells it to nobody: what SEM_UNDO would undo. */
#pragma once

#include "engine/dump.h"

struct restore;

/* As the images number the ipc namespace, see ids_entry. */
#define IPC_NAMESPACE_ID 3

/* One segment, set of semaphores or queue. */
struct ipc_object {
    enum { IPC_SEGMENT, IPC_SEMAPHORES, IPC_QUEUE, IPC_SETTINGS } kind;
    uint32_t id, key, mode, uid, gid, cuid, cgid;
    uint64_t size;    /* bytes of a segment, number of semaphores, capacity of a queue */
    uint64_t count;   /* messages of a queue */
    uint64_t address; /* of a segment, in the child that looks */
    uint64_t bytes;   /* of content that follows: 16 bit values, or messages */
    const char *content;
};

/* A message of a queue's content: this, then `size` bytes. */
struct ipc_message {
    int64_t type;
    uint64_t size;
};

/* Whether the ipc namespace of this process is not ours. */
bool ipc_is_own(pid_t pid);
/* Asks a short question inside the ipc namespace of `pid`, which spares a child where the answer is
 * no. True also where it cannot be asked: an ordinary user does not come back from there. */
bool ipc_may_have(pid_t pid, bool (*ask)(void));
/* Calls `run` in a child inside the ipc namespace of `pid`; with `meanwhile`, that is called in our
 * process before the child ends. */
int ipc_enter(pid_t pid, int (*run)(void *context, struct error *err),
              int (*meanwhile)(pid_t child, void *context, struct error *err), void *context,
              struct error *err);

/* ---- dump ---- */

int dump_ipc(struct dump *d, struct error *err);
int ipc_write_images(struct dump *d, struct error *err);

/* ---- restore ---- */

int ipc_load(struct restore *r, struct error *err);
/* Makes everything; the content of segments comes with the nurseries. */
int restore_ipc(struct restore *r, struct error *err);
/* Segments that were deleted and are there for as long as somebody has them attached. */
int restore_ipc_deleted(struct restore *r, struct error *err);
