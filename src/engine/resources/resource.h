/* What a file descriptor can be: one kernel object per file in this directory, one row each in the
 * table of resource.c.
 *
 * To add a kernel object: write its file with a matcher, a dump and a restore; add its row; add a
 * guest program in tests/guests and a line in docs/support.md. */
#pragma once

#include <sys/stat.h>

#include "engine/dump.h"

struct maker;
struct restore;

/* A descriptor of a process that stands still, seen from outside. */
struct descriptor {
    const struct task *task;
    int fd; /* -1: not a descriptor but the file behind /proc/PID/<place> */
    const char *place;
    struct stat st;
    char link[4096];
    uint32_t flags; /* open(2) flags without O_CLOEXEC */
    bool cloexec;
    int64_t pos;
    bool locked;  /* fdinfo shows a lock on it */
    bool deleted; /* `link` is the path it had */
};

struct resource {
    const char *name;
    FdTypes type;
    bool (*match)(const struct descriptor *f);
    /* Fills the entry's own message; entry->id is set. */
    int (*dump)(struct dump *d, const struct descriptor *f, FileEntry *entry, struct error *err);
    /* Makes the open file in the puppet; returns its descriptor there or -errno. */
    int (*restore)(struct maker *m, const FileEntry *entry, struct error *err);
    /* May be NULL. Completes the open file, which the puppet has as `fd`, when all descriptors of
     * all processes have their numbers. */
    int (*finish)(struct maker *m, const FileEntry *entry, int fd, struct error *err);
    /* Judges an entry before anything is done; may be NULL. */
    int (*check)(struct restore *r, const FileEntry *entry, struct error *err);
};

extern const struct resource resource_epoll, resource_eventfd, resource_inotify, resource_pidfd,
    resource_signalfd, resource_timerfd;
extern const struct resource resource_fifo;
extern const struct resource resource_regular_file, resource_pipe, resource_device,
    resource_terminal, resource_terminal_master, resource_memfd, resource_mqueue,
    resource_namespace, resource_inet_socket, resource_unix_socket, resource_netlink_socket,
    resource_other_socket;

/* The row that matches, or an error that names process, descriptor and what it is. */
const struct resource *resource_match(const struct dump *d, const struct descriptor *f,
                                      struct error *err);
const struct resource *resource_of_type(FdTypes type);

/* Our own copy of a descriptor (pidfd_getfd(2)): it shares the open file. The fd or -errno. */
int descriptor_borrow(const struct descriptor *f);
/* "process 7 (nginx) of container web: fd 9", for errors; in the dump's arena. */
const char *descriptor_name(const struct dump *d, const struct descriptor *f);
/* A path in /proc that opens the file anew; in the dump's arena. */
const char *descriptor_place(struct dump *d, const struct descriptor *f);
/* The same of a file that was seen before; it may be on its way through a socket. */
const char *file_name(const struct dump *d, const struct file *file);
/* 0..2 if this is what the runtime gave init as standard descriptor, else -1. */
int descriptor_stdio(const struct dump *d, const struct descriptor *f);
/* Who gets its signals, for the entry's `fown`. */
FownEntry *descriptor_owner(struct dump *d, const struct descriptor *f);

/* Writes what the resources have collected besides their entries. */
int pipe_write_images(struct dump *d, struct error *err);
/* What stands in a pipe, without taking it out. 0 or -errno. */
int pipe_read_content(struct dump *d, int fd, struct pipe_state *p);
int fifo_write_images(struct dump *d, struct error *err);
/* Reads and checks it. */
int fifo_load(struct restore *r, struct error *err);
/* Message queues are read by taking everything out and putting it back, all open or not. */
int mqueues_look(struct dump *d, struct error *err);
int mqueue_write_images(struct dump *d, struct error *err);
void mqueues_free(struct dump *d);
/* Reads and checks them. */
int mqueue_load(struct restore *r, struct error *err);
int terminal_write_images(struct dump *d, struct error *err);
/* What waits in them. */
int terminals_look(struct dump *d, struct error *err);
int terminal_write_data(struct dump *d, struct error *err);
void terminals_free(struct dump *d);
int memfd_write_images(struct dump *d, struct error *err);
/* Reads and checks it. */
int memfd_load(struct restore *r, struct error *err);
/* Pipes whose other end is outside the container, once all descriptors are known. */
int pipe_settle_outside(struct dump *d, struct error *err);
/* The same for terminals. */
int terminal_settle_outside(struct dump *d, struct error *err);
int unix_sockets_settle(struct dump *d, struct error *err);
int socket_queues_write(struct dump *d, struct error *err);
/* TCP connections: read and silenced; heard again, or closed without a word. */
int tcp_streams_hold(struct dump *d, struct error *err);
int tcp_streams_write(struct dump *d, struct error *err);
void tcp_streams_release(struct dump *d);
void tcp_streams_close(struct dump *d);
/* A file on its way through a socket; `fd` is our copy, which stays open. */
int dump_sent_file(struct dump *d, const struct task *receiver, int fd, uint32_t *ret_id,
                   struct error *err);
/* What epoll and inotify instances watch, likewise. */
int epoll_settle(struct dump *d, struct error *err);
int inotify_settle(struct dump *d, struct error *err);

/* Dead processes that only pidfds know: alive while these are opened. */
int pidfd_bear_departed(struct restore *r, struct error *err);
int pidfd_bury_departed(struct restore *r, struct error *err);

/* A puppet that makes its own files. */
struct maker {
    struct restore *restore;
    struct task *task;
    struct batch *batch;
};

/* One remote call; returns its result, or -errno with the error "process N cannot <what>". */
int64_t maker_call_(struct maker *m, struct error *err, const char *what, long number,
                    const uint64_t args[6]);
#define maker_call(m, err, what, number, ...)                                                      \
    maker_call_((m), (err), (what), (number), (const uint64_t[6]){__VA_ARGS__})
/* open(2) of a path inside the container. */
int maker_open(struct maker *m, const char *path, uint32_t flags, struct error *err);
