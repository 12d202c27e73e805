/* The dump's state and its steps. Internal to engine/. */
#pragma once

#include <sys/stat.h>

#include "base/arena.h"
#include "base/refusals.h"
#include "engine/batch.h"
#include "engine/engine.h"
#include "engine/extra.h"
#include "engine/freeze.h"
#include "engine/task.h"
#include "engine/vma.h"
#include "format/image.h"

/* A run of pages with content, `count` pages from `start`. */
struct page_range {
    remote_addr start;
    uint64_t count;
    bool readable;    /* else only through /proc/PID/mem */
    bool born;        /* a restore: the process is born with it, see cradles.h */
    bool unforked;    /* a fork leaves it out or wipes it */
    const void *kept; /* its content, if it is not in the process that is read */
};

/* An open file description, whoever holds it. */
struct file {
    FileEntry *entry;
    dev_t dev;
    ino_t ino;
    pid_t holder; /* a process that has it, and as which descriptor: for kcmp(2) */
    int fd;
    bool refused; /* its entry is empty */
};

/* A file in memory: shared anonymous memory, a memfd, a System V segment. */
struct shared_memory {
    uint64_t id;       /* as the images number it */
    const char *place; /* a path in /proc that opens it; NULL: `fd` is open */
    int fd;
    struct page_range *pages;
    size_t range_count;
    uint64_t page_count;
    uint32_t pages_id;
};

/* A file that has lost its name, see ghost.h. */
struct ghost {
    uint32_t id; /* of the ghost file, or of the file entry with the other name */
    RemapType type;
    struct stat st;
    const char *place; /* a path in /proc that opens it */
};

struct pipe_state {
    uint32_t id; /* its inode */
    void *data;  /* what stands in it */
    size_t size;
    size_t *packets; /* sizes of the pieces it is read in */
    size_t packet_count;
    uint32_t capacity;
    bool stdio;          /* leads to the container's monitor */
    bool reader, writer; /* ends held inside the container */
    bool peer_gone;      /* poll(2) says that nobody holds the other end */
};

/* What stands in the queue of a unix socket. */
struct dump_packet {
    SkPacketEntry *entry;
    void *data;
};

/* A watch of an inotify instance, and the file whose path is to be found. */
struct sought_watch {
    InotifyFileEntry *instance;
    InotifyWdEntry *watch;
    struct sought_inode *inode;
};

/* A ring of asynchronous I/O, see aio.h, and where it ended. */
struct aio_seen {
    const struct task *task;
    remote_addr address;
    uint32_t tail;
};

struct dump {
    struct dump_options options;
    struct refusals refusals; /* see dump_refuse */
    size_t passing;           /* so many of them will not be there soon */
    bool judged;
    bool incomplete; /* a process cannot be looked at: what it holds is not known */
    struct arena *arena;
    struct look_slot *slots; /* for those that are looked at */
    const struct fpu_layout *fpu;
    struct freezer freezer;
    struct tree tree;
    int root_fd; /* the container's root directory */
    struct file *files;
    size_t file_count, file_room;
    size_t *descriptions; /* the files that are descriptors, in the order of kcmp(2) */
    size_t description_count, description_room;
    SeccompFilter **filters; /* every filter once; `prev` names the one installed before it */
    size_t filter_count, filter_room;
    struct shared_memory *shared;
    size_t shared_count, shared_room;
    struct ghost *ghosts;
    size_t ghost_count, ghost_room;
    RemapFilePathEntry **remaps;
    size_t remap_count, remap_room;
    struct fifo *fifos; /* see resources/fifo.c */
    size_t fifo_count, fifo_room;
    struct lock *locks; /* see locks.h */
    size_t lock_count, lock_room;
    struct ipc_object *ipc; /* see ipc.h */
    size_t ipc_count, ipc_room;
    struct mqueue *mqueues; /* resources/mqueue.h */
    size_t mqueue_count, mqueue_room;
    MemfdInodeEntry **memfds;
    size_t memfd_count, memfd_room;
    struct pipe_state *pipes;
    size_t pipe_count, pipe_room;
    struct unix_diag_table *unix_sockets; /* resources/unix-diag.h; NULL: not asked yet */
    struct dump_packet *packets;
    size_t packet_count, packet_room;
    struct sought_watch *sought;
    size_t sought_count, sought_room;
    struct tcp_held *connections; /* resources/tcp-stream.h */
    size_t connection_count, connection_room;
    int connection_guard; /* resources/tcp-guard.c; -1: none */
    TtyInfoEntry **ttys;
    size_t tty_count, tty_room;
    struct terminal_side *terminals; /* resources/terminal-waiting.c */
    size_t terminal_count, terminal_room;
    TtyDataEntry **terminal_data;
    size_t terminal_data_count, terminal_data_room;
    struct aio_seen *rings;
    size_t ring_count, ring_room;
    uint32_t next_pages_id;
    uint64_t bytes_written; /* of memory, for the progress */
    struct json *extra;     /* see extra.h */
    bool ended;
    int64_t frozen_at_us;
    struct dump_stats stats;
    struct sink *sink;
};

/* Notes why this tree cannot be saved: "process 7 (nginx) of container web <format>", or with `t`
 * NULL "container web <format>". Returns 0: whoever looks goes on looking, so that the user is told
 * all reasons at once; nothing is written when there are any. Only for the steps that judge (see
 * dump.c), which must be content with what was refused before being half there. */
int dump_refuse(struct dump *d, const struct task *t, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For functions that come back with an error instead: `r` is what they returned. Refusals (ENOTSUP,
 * EPERM) are noted and 0 returned, all else is returned as it is. */
int dump_refuse_error(struct dump *d, int r, struct error *err);

/* Fills d->tree from the frozen threads. */
int dump_tree(struct dump *d, struct error *err);
/* Asks a process everything that it can tell: cores, memory map, descriptors. Its registers are
 * back in place when this returns. */
int dump_look(struct dump *d, struct task *t, struct error *err);
struct look_slot *look_slots_new(struct arena *arena);

/* engine/descriptors-dump.c */
int dump_descriptors(struct dump *d, struct task *t, struct error *err);
/* An entry of the files image that no descriptor stands for. */
FileEntry *dump_new_entry(struct dump *d);
/* Adds the file behind a /proc link ("exe", "cwd", "map_files/...") of path `path` inside the
 * container; `flags` as in open(2). */
int dump_path(struct dump *d, const struct task *t, const char *link, uint32_t flags,
              uint32_t *ret_id, struct error *err);

/* engine/memory-dump.c */
int dump_memory_map(struct dump *d, struct task *t, struct error *err);
int dump_find_pages(struct dump *d, struct task *t, struct error *err);
int dump_write_pagemaps(struct dump *d, struct error *err);
int dump_write_pages(struct dump *d, struct task *t, struct error *err);
/* Has the memory with this inode number, which the file `place` in /proc is, written. Returns its
 * number in the images. */
uint32_t shared_memory_note(struct dump *d, ino_t ino, const char *place);
int dump_find_shared_pages(struct dump *d, struct error *err);
int dump_write_shared_pages(struct dump *d, struct error *err);

bool dump_cancelled(const struct dump *d, struct error *err);
