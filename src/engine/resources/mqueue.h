/* POSIX message queues, mq_overview(7): those that somebody has open and those that nobody has,
 * with their messages. They belong to the ipc namespace.
 *
 * The kernel has no way to look at a message without taking it: a child of ours takes all of them
 * and sends them again, in the order they came, which is the order they were in. Nobody of the
 * container runs meanwhile, and the child goes on if we are killed. */
#pragma once

#include <limits.h>

#include "engine/resources/resource.h"

/* In a queue's content: this, then `size` bytes. */
struct mqueue_head {
    uint32_t priority, size;
};

struct mqueue {
    dev_t dev;
    ino_t ino;
    char name[NAME_MAX + 1];
    bool unlinked;
    uint32_t mode, uid, gid;
    uint32_t messages_max, message_size, message_count;
    pid_t notified; /* our number of the process that is told of the next message, 0: none */
    uint64_t bytes; /* of content */
    const char *content;
    int fd; /* a dump: a copy of somebody's descriptor; -1: none */
    uint32_t *file_ids;
    size_t file_count, file_room;
};

/* Asks all queues in the ipc namespace of `init`, and of `known` those without a name; writes a
 * struct mqueue for each to `file`, with its content at the next page. */
int mqueues_read(pid_t init, const struct mqueue *known, size_t count, int file, struct error *err);
